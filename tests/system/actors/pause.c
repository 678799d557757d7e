/*
 * Does nothing, with nothing but libc: what a program costs before it uses libinko.
 */

#include <unistd.h>

int main(void)
{
	(void)pause();
	return 0;
}
