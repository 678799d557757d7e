# INKO_COMPLETION_DIR(VARIABLE, PART, SHELL)
# Substitutes VARIABLE, the directory that SHELL finds completions in: what --with-VARIABLE says,
# else PART under the data directory. Shells look there for /usr, and for /usr/local as far as they
# are told to (XDG_DATA_DIRS, fpath).
AC_DEFUN([INKO_COMPLETION_DIR], [
	AC_ARG_WITH([$1],
		[AS_HELP_STRING([--with-$1=DIR], [completions of $3 (DATADIR/$2), no for none])],
		[], [with_$1=yes])
	AS_CASE([$with_$1], [yes], [$1='${datadir}/$2'], [no], [$1=], [$1=$with_$1])
	AC_SUBST([$1])
])
