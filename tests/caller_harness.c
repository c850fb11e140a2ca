/*
 * Checks the caller's machine code from C, here on this very thread:
 *
 *     caller_harness <file of the code>
 *
 * A stand-in for sem_wait hands it one call after another and plays the
 * signals that interrupt it. Exits with 1 and a line on stderr if anything is
 * not as it should be; otherwise prints how many calls were made.
 */
#include "function_harness.h"

#include <string.h>

#define CALLS 1000

static struct block {
	uint64_t function, arguments[6], result;
	uint64_t notify, notice[3];
	uint64_t sem_wait, free;
	uint64_t semaphore[4];
} block;

static unsigned interrupted, waited, noticed, freed;
static unsigned refuse_at;

static uint64_t argument(unsigned call, unsigned which) {
	return 0x9e3779b97f4a7c15u * (call * 8 + which + 1);
}

__attribute__((noinline))
static uint64_t function(uint64_t a, uint64_t b, uint64_t c, uint64_t d,
	uint64_t e, uint64_t f) {
	CHECK_STACK();
	uint64_t given[6] = {a, b, c, d, e, f};
	for (unsigned i = 0; i < 6; i++)
		check(given[i] == argument(called, i), "an argument");
	return ~argument(called++, 0);
}

__attribute__((noinline))
static int64_t notify(uint64_t a, uint64_t b, uint64_t c) {
	CHECK_STACK();
	check(a == 11 && b == 22 && c == ~0ull, "the notice");
	check(noticed < called, "the time of the notice");
	check(block.result == ~argument(noticed, 0), "the result");
	return ++noticed == refuse_at ? -1 : 1;
}

__attribute__((noinline))
static int sem_wait(void *semaphore) {
	CHECK_STACK();
	check(semaphore == block.semaphore, "the semaphore");
	if (interrupted++ % 3 == 0) return -1;
	check(noticed == called, "the number of notices");
	block.function = waited++ < CALLS ? (uint64_t)function : 0;
	for (unsigned i = 0; i < 6; i++)
		block.arguments[i] = argument(called, i);
	return 0;
}

__attribute__((noinline))
static void free_block(void *memory) {
	CHECK_STACK();
	check(memory == &block, "the memory to free");
	freed++;
}

static void run(void *(*code)(void *), unsigned expected) {
	interrupted = waited = called = noticed = freed = 0;
	block = (struct block) {
		.notify = (uint64_t)notify,
		.notice = {11, 22, ~0ull},
		.sem_wait = (uint64_t)sem_wait,
		.free = (uint64_t)free_block,
	};
	code(&block);
	check(called == expected && noticed == expected, "the number of calls");
	check(freed == 1, "the number of times the memory was freed");
}

int main(int count, char **arguments) {
	if (count != 2) return 2;
	void *page = load(arguments[1]);
	refuse_at = 0;
	run(page, CALLS);
	/* Where nobody listens any more, it ends by itself. */
	refuse_at = 7;
	run(page, 7);
	printf("%d calls\n", CALLS + 7);
	return 0;
}
