/*
 * Checks the recorder's machine code from C, where registers can be looked at:
 *
 *     recorder_harness <file of the code> <offsets of the slot, deliver,
 *                                          confchg, totem_confchg and drain>
 *
 * Each event is recorded into an arena that just holds it, into one that is a
 * byte short, with malloc refusing, and over a block not yet read. What is
 * read and written ends at pages that cannot be touched, so that a single byte
 * too many is a crash. Then it is seen which messages stay on the stack, and
 * when drain stops. Prints the number of events checked; exits with 1 and a line
 * on stderr at the first that is wrong.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAYLOAD 24
#define LARGEST (3 * 1024 * 1024 + 5)
#define MEMBERS 128
#define WEIGHT 64
#define LARGE 16384
#define STACK_SIZE (2 * 1024 * 1024)
#define SIGNALS 32768
#define ALIGNED(size) (((size) + 15) / 16 * 16)

static struct {
	uint64_t malloc, dispatch, next, left, block, failed, events, most;
	int64_t room;
	uint64_t result, stack;
} state;

struct piece {
	const void *bytes;
	size_t length;
};

struct event {
	const char *name;
	const void *function;
	uint64_t arguments[8];
	uint32_t head[4];
	uint64_t last;
	struct piece pieces[3];
};

struct ring_id {
	uint32_t node;
	uint64_t sequence;
};

typedef void totem_confchg(uint64_t handle, struct ring_id ring_id,
	uint32_t count, const uint32_t *nodes);

/* Calls a function with eight integer arguments and with `before` in the
 * registers that it must keep; stores in `after` what they hold then. */
void call(const void *function, const uint64_t arguments[8],
	const uint64_t before[], uint64_t after[]);

/* Stands in for malloc: calls `allocate` below, and then spoils every integer
 * register that a function may spoil. */
void *spoiling_malloc(size_t size);

/* Stands in for cpg_dispatch in the same way, with `dispatch` below; the upper
 * half of the register with its result is spoilt, too. */
int spoiling_dispatch(uint64_t handle, uint32_t flags);

__asm__(".globl call\n"
	".globl spoiling_malloc\n"
	".globl spoiling_dispatch\n");
#if defined(__x86_64__)
#define KEPT 6
#define STACK_AT_ENTRY 8
__asm__(".intel_syntax noprefix\n"
	"call:\n"
	"	endbr64\n"
	"	push rbx; push rbp; push r12; push r13; push r14; push r15\n"
	"	push rcx\n"
	"	mov rax, rdi\n"
	"	mov r10, rsi\n"
	"	push [r10 + 56]; push [r10 + 48]\n"
	"	mov rbx, [rdx]; mov rbp, [rdx + 8]\n"
	"	mov r12, [rdx + 16]; mov r13, [rdx + 24]\n"
	"	mov r14, [rdx + 32]; mov r15, [rdx + 40]\n"
	"	mov rdi, [r10]; mov rsi, [r10 + 8]\n"
	"	mov rdx, [r10 + 16]; mov rcx, [r10 + 24]\n"
	"	mov r8, [r10 + 32]; mov r9, [r10 + 40]\n"
	"	call rax\n"
	"	add rsp, 16\n"
	"	pop rax\n"
	"	mov [rax], rbx; mov [rax + 8], rbp\n"
	"	mov [rax + 16], r12; mov [rax + 24], r13\n"
	"	mov [rax + 32], r14; mov [rax + 40], r15\n"
	"	pop r15; pop r14; pop r13; pop r12; pop rbp; pop rbx\n"
	"	ret\n"
	"spoiling_malloc:\n"
	"	endbr64\n"
	"	mov rsi, rsp\n"
	"	sub rsp, 8\n"
	"	call allocate\n"
	"	add rsp, 8\n"
	"	mov rcx, -1\n"
	"	mov rdx, rcx; mov rsi, rcx; mov rdi, rcx; mov r8, rcx\n"
	"	mov r9, rcx; mov r10, rcx; mov r11, rcx\n"
	"	ret\n"
	"spoiling_dispatch:\n"
	"	endbr64\n"
	"	mov rdx, rsp\n"
	"	sub rsp, 8\n"
	"	call dispatch\n"
	"	add rsp, 8\n"
	"	movabs rcx, 0xffffffff00000000\n"
	"	or rax, rcx\n"
	"	mov rdx, rcx; mov rsi, rcx; mov rdi, rcx; mov r8, rcx\n"
	"	mov r9, rcx; mov r10, rcx; mov r11, rcx\n"
	"	ret\n"
	".att_syntax\n");
#elif defined(__aarch64__)
#define KEPT 19
#define STACK_AT_ENTRY 0
__asm__("call:\n"
	"	stp x29, x30, [sp, -176]!\n"
	"	stp x19, x20, [sp, 16]; stp x21, x22, [sp, 32]\n"
	"	stp x23, x24, [sp, 48]; stp x25, x26, [sp, 64]\n"
	"	stp x27, x28, [sp, 80]; stp d8, d9, [sp, 96]\n"
	"	stp d10, d11, [sp, 112]; stp d12, d13, [sp, 128]\n"
	"	stp d14, d15, [sp, 144]; str x3, [sp, 160]\n"
	"	mov x16, x0\n"
	"	mov x17, x1\n"
	"	ldp x19, x20, [x2]; ldp x21, x22, [x2, 16]\n"
	"	ldp x23, x24, [x2, 32]; ldp x25, x26, [x2, 48]\n"
	"	ldp x27, x28, [x2, 64]; ldp d8, d9, [x2, 80]\n"
	"	ldp d10, d11, [x2, 96]; ldp d12, d13, [x2, 112]\n"
	"	ldp d14, d15, [x2, 128]; ldr x29, [x2, 144]\n"
	"	ldp x0, x1, [x17]; ldp x2, x3, [x17, 16]\n"
	"	ldp x4, x5, [x17, 32]; ldp x6, x7, [x17, 48]\n"
	"	blr x16\n"
	"	ldr x9, [sp, 160]\n"
	"	stp x19, x20, [x9]; stp x21, x22, [x9, 16]\n"
	"	stp x23, x24, [x9, 32]; stp x25, x26, [x9, 48]\n"
	"	stp x27, x28, [x9, 64]; stp d8, d9, [x9, 80]\n"
	"	stp d10, d11, [x9, 96]; stp d12, d13, [x9, 112]\n"
	"	stp d14, d15, [x9, 128]; str x29, [x9, 144]\n"
	"	ldp x19, x20, [sp, 16]; ldp x21, x22, [sp, 32]\n"
	"	ldp x23, x24, [sp, 48]; ldp x25, x26, [sp, 64]\n"
	"	ldp x27, x28, [sp, 80]; ldp d8, d9, [sp, 96]\n"
	"	ldp d10, d11, [sp, 112]; ldp d12, d13, [sp, 128]\n"
	"	ldp d14, d15, [sp, 144]; ldp x29, x30, [sp], 176\n"
	"	ret\n"
	"spoiling_malloc:\n"
	"	stp x29, x30, [sp, -16]!\n"
	"	add x1, sp, 16\n"
	"	bl allocate\n"
	"	ldp x29, x30, [sp], 16\n"
	"	mov x1, -1\n"
	"	mov x2, x1; mov x3, x1; mov x4, x1; mov x5, x1\n"
	"	mov x6, x1; mov x7, x1; mov x8, x1; mov x9, x1\n"
	"	mov x10, x1; mov x11, x1; mov x12, x1; mov x13, x1\n"
	"	mov x14, x1; mov x15, x1; mov x16, x1; mov x17, x1\n"
	"	ret\n"
	"spoiling_dispatch:\n"
	"	stp x29, x30, [sp, -16]!\n"
	"	add x2, sp, 16\n"
	"	bl dispatch\n"
	"	ldp x29, x30, [sp], 16\n"
	"	mov x1, -1\n"
	"	orr x0, x0, 0xffffffff00000000\n"
	"	mov x2, x1; mov x3, x1; mov x4, x1; mov x5, x1\n"
	"	mov x6, x1; mov x7, x1; mov x8, x1; mov x9, x1\n"
	"	mov x10, x1; mov x11, x1; mov x12, x1; mov x13, x1\n"
	"	mov x14, x1; mov x15, x1; mov x16, x1; mov x17, x1\n"
	"	ret\n");
#endif

static void fail(const struct event *event, const char *how, const char *what)
{
	fprintf(stderr, "%s of %zu + %zu + %zu bytes, %s: %s\n", event->name,
		event->pieces[0].length, event->pieces[1].length,
		event->pieces[2].length, how, what);
	exit(1);
}

/* Memory between two pages that cannot be touched. */
struct fenced {
	char *start, *end;
};

static struct fenced fence(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	size = (size + page - 1) / page * page;
	char *at = mmap(NULL, size + 2 * page, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED ||
	    mprotect(at + page, size, PROT_READ | PROT_WRITE) != 0) {
		perror("mmap");
		exit(1);
	}
	return (struct fenced){at + page, at + page + size};
}

static struct fenced source, destination, stack;
static uint64_t asked;
static int refuse, misaligned;

/* Called by spoiling_malloc with the stack pointer at its entry. */
__attribute__((used)) void *allocate(size_t size, uintptr_t stack)
{
	asked = size;
	misaligned |= stack % 16 != STACK_AT_ENTRY;
	return refuse ? NULL : destination.end - size;
}

static void call_and_compare_registers(const struct event *event,
	const char *how)
{
	uint64_t before[KEPT], after[KEPT];

	for (int i = 0; i < KEPT; i++)
		before[i] = 0x1122334455667788u * (uint64_t)(i + 1);
	memset(after, 0, sizeof(after));
	asked = 0;
	misaligned = 0;
	call(event->function, event->arguments, before, after);
	if (memcmp(before, after, sizeof(before)) != 0)
		fail(event, how, "a register that must be kept has changed");
	if (misaligned)
		fail(event, how, "a call with the stack misaligned");
}

/* How many more events are wanted, unless a test says otherwise. */
enum { MOST = 9 };

static void compare_record(const struct event *event, const char *how,
	size_t total)
{
	const char *at = destination.end - total;

	int stays = event->head[0] == 4;
	int64_t length = event->head[0] == 1 || stays ? (int64_t)event->last : 0;
	if (state.events != 1 || state.room != -WEIGHT - length)
		fail(event, how, "wrongly counted");
	if (state.most != (stays ? 0 : MOST))
		fail(event, how, "more are wanted, or none");
	if (state.failed != 0)
		fail(event, how, "failed is set");
	if (memcmp(at, event->head, 16) != 0 ||
	    memcmp(at + 16, &event->last, 8) != 0)
		fail(event, how, "wrong header");
	at += PAYLOAD;
	for (int i = 0; i < 3; i++) {
		/* An empty list may be NULL, and memcmp must not be given that. */
		if (event->pieces[i].length != 0 &&
		    memcmp(at, event->pieces[i].bytes, event->pieces[i].length) != 0)
			fail(event, how, "wrong payload");
		at += event->pieces[i].length;
	}
}

/* Nothing is recorded, and there is so much memory for it. */
static void reset(char *arena, size_t left)
{
	state.next = (uintptr_t)arena;
	state.left = left;
	state.block = state.failed = state.events = 0;
	state.most = MOST;
	state.room = 0;
}

static void check_refusal(const struct event *event, size_t total)
{
	const char *how = "with malloc refusing";

	reset(source.start, total - 1);
	refuse = 1;
	call_and_compare_registers(event, how);
	refuse = 0;
	if (asked != total)
		fail(event, how, "malloc called for another size");
	if (state.events != 0 || state.block != 0 || state.failed != total)
		fail(event, how, "events, block or failed is wrong");
}

static void check(const struct event *event)
{
	size_t total = PAYLOAD + event->pieces[0].length +
		event->pieces[1].length + event->pieces[2].length;
	char *arena = destination.end - total;
	const char *how = "into the arena";

	memset(arena, 0xa5, total);
	reset(arena, total);
	call_and_compare_registers(event, how);
	compare_record(event, how, total);
	if (asked != 0 || state.block != 0)
		fail(event, how, "malloc called");
	if (state.next != (uintptr_t)arena + ALIGNED(total) ||
	    state.left != total - ALIGNED(total))
		fail(event, how, "next or left is wrong");

	how = "into memory from malloc";
	memset(arena, 0xa5, total);
	reset(source.start, total - 1);
	call_and_compare_registers(event, how);
	compare_record(event, how, total);
	if (asked != total)
		fail(event, how, "malloc called for another size");
	if (state.block != (uintptr_t)arena ||
	    state.next != (uintptr_t)source.start || state.left != total - 1)
		fail(event, how, "block, next or left is wrong");

	check_refusal(event, total);

	how = "over a block not yet read";
	memset(arena, 0xa5, total);
	reset(arena, total - 1);
	state.block = 1;
	call_and_compare_registers(event, how);
	if (state.block != 1 || state.events != 0 || state.failed != UINT64_MAX)
		fail(event, how, "block, events or failed is wrong");
	for (size_t i = 0; i < total; i++)
		if (arena[i] != (char)0xa5)
			fail(event, how, "the arena was written to");
}

/* A u32 as an argument: nothing is said of the upper half of its register. */
static uint64_t sloppy(uint32_t value)
{
	return 0xdeadbeef00000000u | value;
}

static void check_message(const void *function, const char *bytes,
	size_t length)
{
	struct event event = {
		"message", function,
		{1, 2, sloppy(0xfedcba98), sloppy(0x87654321),
		 (uintptr_t)bytes, length},
		{1, 0xfedcba98, 0x87654321, 0}, length, {{bytes, length}},
	};
	check(&event);
}

/* A message that stays where it is, and is written down as its address. */
static void check_message_that_stays(const void *function, const char *bytes,
	size_t length)
{
	struct event event = {
		"message that stays", function,
		{1, 2, sloppy(0xfedcba98), sloppy(0x87654321),
		 (uintptr_t)bytes, length},
		{4, 0xfedcba98, 0x87654321, 0}, length, {{&bytes, sizeof(bytes)}},
	};
	check(&event);
}

/* A length of more than 32 bits, for which there is never memory. */
static void check_absurd_message(const void *function)
{
	size_t length = (size_t)1 << 40;
	struct event event = {
		.name = "message", .function = function,
		.arguments = {1, 2, 3, 4, (uintptr_t)source.start, length},
		.pieces = {{source.start, length}},
	};
	check_refusal(&event, PAYLOAD + length);
}

static void check_membership(const void *function, uint32_t members,
	uint32_t left, uint32_t joined)
{
	const char *lists[3] = {NULL, NULL, NULL};
	uint32_t counts[3] = {members, left, joined};
	const char *at = source.end;

	/* The last list that is not empty ends at the fence. */
	for (int i = 2; i >= 0; i--)
		if (counts[i] != 0)
			lists[i] = at -= 12 * counts[i];
	struct event event = {
		"membership", function,
		{1, 2, (uintptr_t)lists[0], members, (uintptr_t)lists[1], left,
		 (uintptr_t)lists[2], joined},
		{2, members, left, joined}, 0,
		{{lists[0], 12 * members}, {lists[1], 12 * left},
		 {lists[2], 12 * joined}},
	};
	check(&event);
}

static void check_ring(const void *function, uint32_t nodes)
{
	const char *list = source.end - 4 * nodes;
	struct event event = {
		"ring", function,
		{1, sloppy(0xfedcba98), 0x0123456789abcdef, sloppy(nodes),
		 (uintptr_t)list},
		{3, 0xfedcba98, nodes, 0}, 0x0123456789abcdef,
		{{list, 4 * nodes}},
	};
	check(&event);

	/* Once more as the compiler passes the struct, whose registers are
	 * only supposed above. */
	struct ring_id ring_id = {event.head[1], event.last};
	reset(destination.end - PAYLOAD - 4 * nodes, PAYLOAD + 4 * nodes);
	((totem_confchg *)function)(1, ring_id, nodes, (const uint32_t *)list);
	compare_record(&event, "called from C", PAYLOAD + 4 * nodes);
}

/* What stands behind spoiling_dispatch: messages, and then another result. */
static struct {
	const void *deliver;
	int messages, silent, stays, result, calls, wrong;
} daemon_side;

/* Lengths of these messages, of their records, and what they count for. */
enum { LENGTH = 100, RECORD = PAYLOAD + LENGTH, COUNT = WEIGHT + LENGTH };

static const uint64_t handle = 0x1234567890abcdef;

/* Called by spoiling_dispatch with the stack pointer at its entry. */
__attribute__((used)) int dispatch(uint64_t of, uint32_t flags, uintptr_t at)
{
	typedef void deliver(uint64_t handle, const void *group, uint32_t node,
		uint32_t pid, const void *message, size_t length);

	misaligned |= at % 16 != STACK_AT_ENTRY;
	daemon_side.calls++;
	daemon_side.wrong |= of != handle || flags != 4;
	daemon_side.wrong |= at != (uintptr_t)stack.end - STACK_AT_ENTRY;
	if (daemon_side.messages == 0) return daemon_side.result;
	daemon_side.messages--;
	if (daemon_side.stays)
		((deliver *)daemon_side.deliver)(of, NULL, 1, 2, stack.start, LARGE);
	else if (!daemon_side.silent)
		((deliver *)daemon_side.deliver)(of, NULL, 1, 2, source.start, LENGTH);
	return 1;
}

static void check_drains(const void *deliver, const void *drain)
{
	static const struct {
		const char *how;
		int messages, silent, stays, result, refuse;
		uint64_t most;
		int64_t room;
		size_t left;
		int calls;
		uint64_t events, failed;
	} cases[] = {
		{"all there are", 5, 0, 0, 6, 0, 9, 9999, 9999, 6, 5, 0},
		{"as many as wanted", 5, 0, 0, 6, 0, 3, 9999, 9999, 3, 3, 0},
		{"until there is no room", 5, 0, 0, 6, 0, 9, 2 * COUNT, 9999, 2, 2, 0},
		{"the one beyond", 5, 0, 0, 6, 0, 9, 2 * COUNT + 1, 9999, 3, 3, 0},
		{"until one needs a block", 5, 0, 0, 6, 0, 9, 9999,
		 2 * ALIGNED(RECORD) + RECORD - 1, 3, 3, 0},
		{"until one gets no block", 5, 0, 0, 6, 1, 9, 9999,
		 2 * ALIGNED(RECORD) + RECORD - 1, 3, 2, RECORD},
		{"nothing, though all is well", 5, 1, 0, 6, 0, 9, 9999, 9999, 1, 0, 0},
		{"one that stays", 5, 0, 1, 6, 0, 9, 99999, 9999, 1, 1, 0},
		{"of a dead daemon", 0, 0, 0, 2, 0, 9, 9999, 9999, 1, 0, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *how = cases[i].how;
		struct event event = {
			.name = "drain", .function = drain,
			.arguments = {handle, (uintptr_t)&state},
		};
		reset(destination.start, cases[i].left);
		state.most = cases[i].most;
		state.room = cases[i].room;
		refuse = cases[i].refuse;
		daemon_side.deliver = deliver;
		daemon_side.messages = cases[i].messages;
		daemon_side.silent = cases[i].silent;
		daemon_side.stays = cases[i].stays;
		daemon_side.result = cases[i].result;
		daemon_side.calls = daemon_side.wrong = 0;
		call_and_compare_registers(&event, how);
		refuse = 0;
		if (daemon_side.wrong)
			fail(&event, how, "cpg_dispatch called in another way");
		if (daemon_side.calls != cases[i].calls ||
		    state.events != cases[i].events)
			fail(&event, how, "too few events, or too many");
		if (state.failed != cases[i].failed)
			fail(&event, how, "failed is wrong");
		int last = cases[i].calls > cases[i].messages ? cases[i].result : 1;
		if (state.result != (uint64_t)last)
			fail(&event, how, "another result");
		if (cases[i].stays)
			continue;
		const char *at = destination.start;
		for (uint64_t j = 0; j < state.events - (state.block != 0); j++) {
			if (memcmp(at + PAYLOAD, source.start, LENGTH) != 0)
				fail(&event, how, "wrong payload");
			at += ALIGNED(RECORD);
		}
	}
}

/* The code from the file, with its slot filled in and ready to run. */
static char *load(const char *path, size_t slot)
{
	struct fenced page = fence(1);
	FILE *file = fopen(path, "rb");

	if (file == NULL) {
		perror(path);
		exit(1);
	}
	size_t size = fread(page.start, 1, page.end - page.start, file);
	fclose(file);
	if (size < slot + 8) {
		fprintf(stderr, "%s: only %zu bytes\n", path, size);
		exit(1);
	}
	*(uint64_t *)(page.start + slot) = (uintptr_t)&state;
	__builtin___clear_cache(page.start, page.start + size);
	if (mprotect(page.start, page.end - page.start,
		PROT_READ | PROT_EXEC) != 0) {
		perror("mprotect");
		exit(1);
	}
	return page.start;
}

int main(int argc, char **argv)
{
	static const uint32_t counts[] = {0, 1, 2, 5, MEMBERS};
	static const size_t large[] = {4096, 65537, LARGEST};
	size_t offsets[5];

	if (argc != 7) {
		fprintf(stderr,
			"usage: %s file slot deliver confchg totem_confchg drain\n",
			argv[0]);
		return 1;
	}
	for (int i = 0; i < 5; i++)
		offsets[i] = strtoul(argv[i + 2], NULL, 10);
	char *code = load(argv[1], offsets[0]);
	const void *deliver = code + offsets[1];
	int events = 0;

	source = fence(LARGEST);
	destination = fence(LARGEST + PAYLOAD);
	/* With memory below it, where other messages may be. */
	stack = fence(STACK_SIZE + LARGE);
	stack.start = stack.end - STACK_SIZE;
	state.stack = (uintptr_t)stack.end;
	state.malloc = (uintptr_t)spoiling_malloc;
	state.dispatch = (uintptr_t)spoiling_dispatch;
	uint32_t noise = 1;
	for (char *at = source.start; at < source.end; at++)
		*at = (char)((noise = noise * 1664525 + 1013904223) >> 24);

	for (size_t length = 0; length <= 300; length++, events += 2) {
		check_message(deliver, source.end - length, length);
		check_message(deliver, source.start, length);
	}
	for (size_t i = 0; i < sizeof(large) / sizeof(*large); i++, events += 2) {
		check_message(deliver, source.end - large[i], large[i]);
		check_message(deliver, source.start, large[i]);
	}
	const char *top = stack.end - SIGNALS;
	check_message_that_stays(deliver, stack.start, LARGE);
	check_message_that_stays(deliver, stack.start, STACK_SIZE - SIGNALS);
	check_message_that_stays(deliver, top - LARGE, LARGE);
	check_message(deliver, stack.start - 1, LARGE);
	check_message(deliver, stack.start, LARGE - 1);
	check_message(deliver, stack.start, STACK_SIZE - SIGNALS + 1);
	check_message(deliver, top - LARGE + 1, LARGE);
	check_message(deliver, stack.end - LARGE, LARGE);
	events += 8;
	check_absurd_message(deliver);
	for (int i = 0; i < 5 * 5 * 5; i++, events++)
		check_membership(code + offsets[2], counts[i % 5],
			counts[i / 5 % 5], counts[i / 25]);
	for (int i = 0; i < 5; i++, events++)
		check_ring(code + offsets[3], counts[i]);
	check_drains(deliver, code + offsets[4]);
	printf("%d events\n", events);
	return 0;
}
