/* What the harnesses of machine code that is one function share. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static unsigned called;

static void check(int good, const char *what) {
	if (good) return;
	fprintf(stderr, "%s is wrong after %u calls\n", what, called);
	exit(1);
}

/* In a function that the code calls: whether the stack is where every function
 * may rely on it to be. */
#define CHECK_STACK() \
	check((uint64_t)__builtin_frame_address(0) % 16 == 0, \
		"the alignment of the stack")

/* The code from a file, ready to run. */
static void *load(const char *path) {
	FILE *file = fopen(path, "rb");
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(file != NULL && page != MAP_FAILED, "the file of the code");
	size_t length = fread(page, 1, 4096, file);
	check(length > 0 && length < 4096, "the length of the code");
	mprotect(page, 4096, PROT_READ | PROT_EXEC);
	__builtin___clear_cache(page, (char *)page + length);
	return page;
}
