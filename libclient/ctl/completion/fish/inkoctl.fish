# Completion of inkoctl for fish. What can be written is asked of inkoctl itself.

function __inkoctl_complete
	set -l typed (commandline -opc)
	set -l current (commandline -ct)
	set -l flag (string match -r -- '^--[^=]*=' "$current")
	set -l value (string replace -r -- '^--[^=]*=' '' "$current")
	set -l program (string replace -r '^~/' "$HOME/" -- $typed[1])
	for candidate in ($program completion -- $typed[2..-1] "$current" 2>/dev/null)
		switch $candidate
			case :directories
				string replace -r '^' -- "$flag" (__fish_complete_directories "$value" '')
			case :files
				__fish_complete_path "$value"
			case :programs
				complete -C "$value"
				__fish_complete_path "$value"
			case :hosts
				__fish_print_hostnames
			case :users
				__fish_complete_users
			case :groups
				__fish_complete_groups
			case '*'
				echo $candidate
		end
	end
end

complete -c inkoctl -f -a '(__inkoctl_complete)'
