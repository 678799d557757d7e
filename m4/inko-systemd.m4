# INKO_SYSTEMD_DIR(VARIABLE, PART, WHAT)
# Substitutes VARIABLE, the directory that systemd finds WHAT in: what --with-VARIABLE says, else
# PART under the prefix. systemd looks there for /usr and /usr/local; an installation elsewhere
# writes nothing outside of its prefix unless it is told to.
AC_DEFUN([INKO_SYSTEMD_DIR], [
	AC_ARG_WITH([$1],
		[AS_HELP_STRING([--with-$1=DIR], [$3 of systemd (PREFIX/$2), no for none])],
		[], [with_$1=yes])
	AS_CASE([$with_$1], [yes], [$1='${prefix}/$2'], [no], [$1=], [$1=$with_$1])
	AC_SUBST([$1])
])
