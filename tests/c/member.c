/* A member of a group that sends at random and keeps a journal, as does
 * tests/cluster/member.ts, which says how the two are used.
 */
#include "cpg.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A message begins with its number and the CRC-32 of what follows. */
enum { HEADER = 8, LARGEST = 1 << 20 };

static FILE *journal;
static uint32_t self_node, self_pid;
static int arrived, departed;

static unsigned long to_send, next_number;
static unsigned largest, pause_us;
static uint64_t not_before;

static uint32_t crc32(const unsigned char *bytes, size_t length) {
  static uint32_t table[256];
  if (!table[1])
    for (uint32_t i = 0; i < 256; i++) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; bit++)
        value = value & 1 ? 0xedb88320 ^ value >> 1 : value >> 1;
      table[i] = value;
    }
  uint32_t crc = 0xffffffff;
  while (length--) crc = table[(crc ^ *bytes++) & 0xff] ^ crc >> 8;
  return ~crc;
}

static void check(const char *call, int result) {
  if (result == CS_OK) return;
  fprintf(stderr, "%s says %d\n", call, result);
  exit(1);
}

static uint64_t now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void deliver(cpg_handle_t handle, const struct cpg_name *group,
                    uint32_t node, uint32_t pid, void *message,
                    size_t length) {
  uint32_t header[2] = {0, 0};
  if (length >= HEADER) memcpy(header, message, HEADER);
  int whole = length >= HEADER &&
    header[1] == crc32((unsigned char *)message + HEADER, length - HEADER);
  fprintf(journal, "%c %u:%u %u %zu\n", whole ? 'm' : 'x', node, pid,
          header[0], length);
}

static void print_list(const struct cpg_address *list, size_t count,
                       int with_reason) {
  static const char *reasons[] = {":undefined", ":join",    ":leave",
                                  ":node-down", ":node-up", ":process-down"};
  fputc(' ', journal);
  for (size_t i = 0; i < count; i++)
    fprintf(journal, "%s%u:%u%s", i ? "," : "", list[i].nodeid, list[i].pid,
            with_reason ? reasons[list[i].reason % 6] : "");
}

static void confchg(cpg_handle_t handle, const struct cpg_name *group,
                    const struct cpg_address *list, size_t count,
                    const struct cpg_address *left, size_t left_count,
                    const struct cpg_address *joined, size_t joined_count) {
  fputc('c', journal);
  print_list(list, count, 0);
  print_list(joined, joined_count, 0);
  print_list(left, left_count, 1);
  fputc('\n', journal);
  for (size_t i = 0; i < joined_count; i++)
    if (joined[i].nodeid == self_node && joined[i].pid == self_pid) arrived = 1;
  for (size_t i = 0; i < left_count; i++)
    if (left[i].nodeid == self_node && left[i].pid == self_pid) departed = 1;
}

static void ring(cpg_handle_t handle, struct cpg_ring_id id, uint32_t count,
                 const uint32_t *nodes) {
  fprintf(journal, "g %u:%llu ", id.nodeid, (unsigned long long)id.seq);
  for (uint32_t i = 0; i < count; i++)
    fprintf(journal, "%s%u", i ? "," : "", nodes[i]);
  fputc('\n', journal);
}

/* Sends one message, every other one from memory shared with the daemon.
 * Returns whether corosync has taken it. */
static int send_one(cpg_handle_t handle) {
  size_t length = HEADER + 1 + (size_t)random() % largest;
  int shared = next_number % 2;
  static char own[LARGEST];
  void *memory = own;
  if (shared) {
    /* In whole pages with its header: corosync gives no memory to a part of
     * one, and dies of it when /dev/shm is full. */
    size_t whole = ((length + 56 + 4095) & ~(size_t)4095) - 56;
    int result = cpg_zcb_alloc(handle, whole, &memory);
    if (result == CS_ERR_TRY_AGAIN) return 0;
    check("cpg_zcb_alloc", result);
  }
  unsigned char *bytes = memory;
  for (size_t i = HEADER; i < length; i++) bytes[i] = (unsigned char)random();
  uint32_t number = (uint32_t)next_number;
  uint32_t crc = crc32(bytes + HEADER, length - HEADER);
  memcpy(bytes, &number, 4);
  memcpy(bytes + 4, &crc, 4);
  int result;
  if (shared) {
    result = cpg_zcb_mcast_joined(handle, CPG_TYPE_AGREED, memory, length);
    int freed;
    while ((freed = cpg_zcb_free(handle, memory)) == CS_ERR_TRY_AGAIN)
      usleep(1000);
    check("cpg_zcb_free", freed);
  } else {
    size_t half = length / 2;
    struct iovec parts[] = {{bytes, half}, {bytes + half, length - half}};
    result = cpg_mcast_joined(handle, CPG_TYPE_AGREED, parts, 2);
  }
  if (result == CS_ERR_TRY_AGAIN) return 0;
  check("sending", result);
  fprintf(journal, "s %lu\n", next_number++);
  return 1;
}

/* Does what a line of standard input says. */
static void obey(cpg_handle_t handle, const struct cpg_name *group,
                 const char *line) {
  if (sscanf(line, "send %lu %u %u", &to_send, &largest, &pause_us) == 3) {
    if (largest > LARGEST - HEADER) exit(2);
  } else if (strncmp(line, "stop", 4) == 0) {
    to_send = 0;
    printf("sent %lu\n", next_number);
  } else if (strncmp(line, "leave", 5) == 0) {
    to_send = 0;
    int result;
    while ((result = cpg_leave(handle, group)) == CS_ERR_TRY_AGAIN) usleep(1000);
    check("cpg_leave", result);
  }
}

int main(int argc, char **argv) {
  if (argc < 3 || !(journal = fopen(argv[2], "a"))) return 2;
  setvbuf(journal, NULL, _IOLBF, 0);
  setvbuf(stdin, NULL, _IONBF, 0); /* so that poll() knows of every line */
  setvbuf(stdout, NULL, _IOLBF, 0);
  cpg_model_v1_data_t model = {CPG_MODEL_V1, deliver, confchg, ring,
                               CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF};
  cpg_handle_t handle;
  check("cpg_model_initialize",
        cpg_model_initialize(&handle, CPG_MODEL_V1, &model, NULL));
  check("cpg_local_get", cpg_local_get(handle, &self_node));
  self_pid = (uint32_t)getpid();
  srandom(self_pid);
  struct cpg_name group = {(uint32_t)strlen(argv[1])};
  memcpy(group.value, argv[1], group.length);
  int result;
  while ((result = cpg_join(handle, &group)) == CS_ERR_TRY_AGAIN) usleep(1000);
  check("cpg_join", result);
  while (!arrived) check("cpg_dispatch", cpg_dispatch(handle, CS_DISPATCH_ONE));
  printf("joined %u:%u\n", self_node, self_pid);

  struct pollfd ready[] = {{0, POLLIN, 0}, {0, POLLIN, 0}};
  cpg_fd_get(handle, &ready[1].fd);
  while (!departed) {
    uint64_t now = now_us();
    int due = to_send && now >= not_before;
    int wait = !to_send ? -1 : due ? 0 : (int)((not_before - now) / 1000) + 1;
    if (poll(ready, 2, wait) < 0) return 1;
    if (ready[1].revents)
      check("cpg_dispatch", cpg_dispatch(handle, CS_DISPATCH_ALL));
    if (ready[0].revents) {
      char line[256];
      if (!fgets(line, sizeof line, stdin)) return 1;
      obey(handle, &group, line);
    }
    if (due && to_send) {
      int taken = send_one(handle);
      not_before = now_us() + (taken ? pause_us : 1000);
      if (taken && --to_send == 0) printf("sent %lu\n", next_number);
    }
  }
  check("cpg_finalize", cpg_finalize(handle));
  puts("left");
  return 0;
}
