/* A member of a group, written in C, of the same shape as peer.ts.
 *
 *   peer GROUP [keep]
 *
 * It does what the lines of its standard input say, and answers each with a
 * line of JSON. peer.ts says what they are. With `keep` it copies each message
 * into memory of its own, which it frees when the next one comes.
 */
#include "../tests/c/cpg.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* What messages consist of. Memory that was never written would all be one page
 * of zeros, and faster to read than any message. */
enum { CONTENT = 1 };

/* Messages sent before the next look at what has come. */
enum { BURST = 64 };

/* The longest message sent in one piece, and the most round trips timed. */
enum { LARGEST = 1 << 20, MOST_TRIPS = 100000 };

static cpg_handle_t handle;
static int fd;
static size_t members;
static unsigned long received; /* messages but for the empty one, the last */
static int ended;
static int keep;
static void *kept;
static double first, first_cpu; /* when the first of them came */

static void check(const char *call, int result) {
  if (result == CS_OK) return;
  fprintf(stderr, "%s says %d\n", call, result);
  exit(1);
}

/* In seconds. */
static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

/* Processor time of this process, in seconds. */
static double cpu(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

/* Resident memory, in bytes. */
static long resident(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%*d %ld", &pages) != 1) exit(1);
  fclose(file);
  return pages * 4096;
}

static void deliver(cpg_handle_t from, const struct cpg_name *group,
                    uint32_t nodeid, uint32_t pid, void *message,
                    size_t length) {
  if (keep) {
    free(kept);
    kept = malloc(length);
    if (!kept && length) exit(1);
    memcpy(kept, message, length);
  }
  if (length == 0) {
    ended = 1;
  } else if (received++ == 0) {
    first = now();
    first_cpu = cpu();
  }
}

static void confchg(cpg_handle_t from, const struct cpg_name *group,
                    const struct cpg_address *list, size_t count,
                    const struct cpg_address *left, size_t left_count,
                    const struct cpg_address *joined, size_t joined_count) {
  members = count;
}

static void dispatch(void) {
  check("cpg_dispatch", cpg_dispatch(handle, CS_DISPATCH_ALL));
}

/* Waits until there is something to dispatch. */
static void wait(int milliseconds) {
  struct pollfd readable = {fd, POLLIN, 0};
  poll(&readable, 1, milliseconds);
}

/* Whether corosync took the message. */
static int try_send(void *data, size_t size, int zero_copy) {
  struct iovec part = {data, size};
  int result = zero_copy
                   ? cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, data, size)
                   : cpg_mcast_joined(handle, CPG_TYPE_AGREED, &part, 1);
  if (result != CS_ERR_TRY_AGAIN) check("sending", result);
  return result == CS_OK;
}

static void reset(void) {
  received = 0;
  ended = 0;
}

/* Ends a flood, and waits for the end of it. */
static void finish(void *data) {
  while (!try_send(data, 0, 0)) {
    wait(1);
    dispatch();
  }
  while (!ended) {
    wait(-1);
    dispatch();
  }
}

/* The time; keeps the longest time between two calls. */
static double turn(double previous, double *longest) {
  double time = now();
  if (time - previous > *longest) *longest = time - previous;
  return time;
}

static void report(unsigned long messages, double seconds, double used,
                   double late) {
  printf("{\"messages\": %lu, \"seconds\": %f, \"cpu\": %f, \"late\": %f, "
         "\"resident\": %ld}\n",
         messages, seconds, used, late * 1000, resident());
}

static void flood(size_t size, double seconds, unsigned long most,
                  int zero_copy) {
  static char ordinary[LARGEST];
  void *data = ordinary;
  if (zero_copy) check("cpg_zcb_alloc", cpg_zcb_alloc(handle, size, &data));
  memset(data, CONTENT, size);
  reset();
  double start = now(), start_cpu = cpu(), time = start, late = 0;
  unsigned long sent = 0;
  while (time < start + seconds && sent < most) {
    int taken = 1;
    for (int i = 0; i < BURST && taken && sent < most; i++) {
      taken = try_send(data, size, zero_copy);
      sent += taken;
    }
    unsigned long before = received;
    dispatch();
    if (!taken && received == before) wait(1);
    time = turn(time, &late);
  }
  unsigned long messages = received;
  double used = cpu() - start_cpu;
  finish(ordinary);
  if (zero_copy) check("cpg_zcb_free", cpg_zcb_free(handle, data));
  report(messages, time - start, used, late);
}

/* What another member's flood was, as seen from here. */
static void receive(void) {
  reset();
  puts("{}"); /* The sender may begin. */
  fflush(stdout);
  double time = 0, late = 0;
  while (!ended) {
    wait(-1);
    dispatch();
    time = turn(time ? time : now(), &late);
  }
  report(received, time - first, cpu() - first_cpu, late);
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void trips(size_t size, double seconds) {
  static char data[LARGEST];
  static double times[MOST_TRIPS];
  size_t count = 0;
  memset(data, CONTENT, size);
  double end = now() + seconds;
  for (double start = now(); start < end && count < MOST_TRIPS;) {
    reset();
    while (!try_send(data, size, 0)) wait(1);
    while (received == 0) {
      wait(-1);
      dispatch();
    }
    double time = now();
    times[count++] = (time - start) * 1e6;
    start = time;
  }
  qsort(times, count, sizeof *times, compare);
  printf("{\"p50\": %f, \"p99\": %f}\n", times[count / 2],
         times[count * 99 / 100]);
}

int main(int argc, char **argv) {
  if (argc > 2 && !strcmp(argv[2], "keep")) keep = 1;
  if (argc != 2 + keep) return 2;
  cpg_callbacks_t callbacks = {deliver, confchg};
  check("cpg_initialize", cpg_initialize(&handle, &callbacks));
  check("cpg_fd_get", cpg_fd_get(handle, &fd));
  struct cpg_name group = {(uint32_t)strlen(argv[1])};
  memcpy(group.value, argv[1], group.length);
  check("cpg_join", cpg_join(handle, &group));
  while (members == 0) {
    wait(-1);
    dispatch();
  }
  puts("{}");
  fflush(stdout);

  char line[100], verb[20];
  while (fgets(line, sizeof line, stdin)) {
    size_t size = 0;
    double milliseconds = 0;
    unsigned long most = -1;
    sscanf(line, "%19s %zu %lf %lu", verb, &size, &milliseconds, &most);
    if (size > LARGEST) return 2;
    double seconds = milliseconds / 1000;
    if (!strcmp(verb, "flood")) flood(size, seconds, most, 0);
    else if (!strcmp(verb, "zcb")) flood(size, seconds, most, 1);
    else if (!strcmp(verb, "receive")) receive();
    else if (!strcmp(verb, "trips")) trips(size, seconds);
    else return 2;
    fflush(stdout);
  }
  check("cpg_leave", cpg_leave(handle, &group));
  check("cpg_finalize", cpg_finalize(handle));
  return 0;
}
