/*
 * Checks the sender's machine code from C:
 *
 *     sender_harness <file of the code>
 *
 * A stand-in for cpg_mcast_joined takes some messages and refuses the next.
 * Exits with 1 and a line on stderr if anything is not as it should be;
 * otherwise prints how many calls were made.
 */
#include "function_harness.h"

#include <sys/uio.h>

#define HANDLE 0x9e3779b97f4a7c15u
#define MOST 64

static struct block {
	uint64_t mcast, next, left, result;
} block;

static struct iovec iovecs[MOST];
static unsigned total, refuse_at;
static int refusal;

/* Returns an int whose register has something in its upper half as well. */
__attribute__((noinline))
static uint64_t mcast(uint64_t handle, uint32_t guarantee,
	const struct iovec *iovec, uint32_t count) {
	CHECK_STACK();
	check(handle == HANDLE, "the handle");
	check(guarantee == 2, "the guarantee");
	check(iovec == &iovecs[called] && count == 1, "the message");
	total++;
	uint64_t result = called++ == refuse_at ? refusal : 1;
	return result | (uint64_t)0xfeed << 32;
}

static void run(int (*code)(uint64_t, struct block *), unsigned count,
	unsigned refused, int with) {
	called = 0;
	refuse_at = refused;
	refusal = with;
	block = (struct block) {
		.mcast = (uint64_t)mcast,
		.next = (uint64_t)iovecs,
		.left = count,
	};
	check(code(HANDLE, &block) == 0, "what it returns");
	unsigned taken = refused < count ? refused : count;
	check(called == taken + (refused < count), "the number of calls");
	check(block.left == count - taken, "what is left");
	check(block.next == (uint64_t)&iovecs[taken], "what is next");
	check(block.result == (refused < count ? with : 1), "the result");
}

int main(int count, char **arguments) {
	if (count != 2) return 2;
	void *page = load(arguments[1]);
	for (unsigned most = 1; most <= MOST; most++) {
		run(page, most, most, 0);
		for (unsigned refused = 0; refused < most; refused++) {
			run(page, most, refused, 6);
			run(page, most, refused, 2);
		}
	}
	printf("%u calls\n", total);
	return 0;
}
