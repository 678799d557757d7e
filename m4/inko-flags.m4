# Compiler and linker flags, each only where it is understood.

# INKO_ADD_COMPILE_FLAG(VARIABLE, FLAG)
# Appends FLAG to VARIABLE if the compiler takes it without a warning.
AC_DEFUN([INKO_ADD_COMPILE_FLAG], [
	AS_VAR_PUSHDEF([taken], [inko_cv_compile_$2])
	AC_CACHE_CHECK([whether $CC takes $2], [taken], [
		inko_saved_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror $2"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
			[AS_VAR_SET([taken], [yes])], [AS_VAR_SET([taken], [no])])
		CFLAGS=$inko_saved_CFLAGS
	])
	AS_VAR_IF([taken], [yes], [AS_VAR_APPEND([$1], [" $2"])])
	AS_VAR_POPDEF([taken])
])

# INKO_ADD_LINK_FLAG(VARIABLE, FLAG)
# Appends FLAG to VARIABLE if a program links with it.
AC_DEFUN([INKO_ADD_LINK_FLAG], [
	AS_VAR_PUSHDEF([taken], [inko_cv_link_$2])
	AC_CACHE_CHECK([whether the linker takes $2], [taken], [
		inko_saved_LDFLAGS=$LDFLAGS
		LDFLAGS="$LDFLAGS $2"
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
			[AS_VAR_SET([taken], [yes])], [AS_VAR_SET([taken], [no])])
		LDFLAGS=$inko_saved_LDFLAGS
	])
	AS_VAR_IF([taken], [yes], [AS_VAR_APPEND([$1], [" $2"])])
	AS_VAR_POPDEF([taken])
])
