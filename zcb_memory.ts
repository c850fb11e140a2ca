/**
 * What libcpg does with the memory of a zero-copy buffer, and what goes wrong
 * there. Nothing else knows it.
 *
 * Up to corosync 3.1.10 `cpg_zcb_alloc` makes a file in `/dev/shm`, maps it,
 * and has the daemon map it, too, who then unlinks it. Later versions call
 * `malloc`.
 *
 * @module
 */
import type { Connection } from "./connection.ts";
import { CpgError } from "./errors.ts";
import type { Libcpg } from "./libcpg.ts";
import { NativeMemory } from "./memory.ts";
import { viewOf } from "./native/deno.ts";
import { hasDescriptors } from "./poller.ts";

/**
 * Before the bytes that libcpg hands out lie the map's own header, with the
 * map's size at 0 and the daemon's address of it at 8, and the header of the
 * message.
 */
export const HEADER = 56;
/** libcpg keeps the map's size in an int. */
export const LARGEST_MAP = 2 ** 31 - 1;
const HEADER_MAP_SIZE = 0;
const HEADER_SERVER_ADDRESS = 8;

const PAGE = 4096;
const PROT_READ_WRITE = 0x1 | 0x2;
const MAP_PRIVATE_ANONYMOUS = 0x2 | 0x20;
const MAP_FIXED = 0x10;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const RLIMIT_FSIZE = 1;
const FOLDER = "/dev/shm";

/**
 * Whether memory from `cpg_zcb_alloc` is a map of its own. A map begins a
 * page, so its content begins 56 bytes into one, where no `malloc` puts any.
 */
export function isMap(content: bigint): boolean {
  return content % BigInt(PAGE) === BigInt(HEADER);
}

/** Where the daemon has mapped it; 0n if it has not. */
export function serverAddress(content: bigint): bigint {
  return headerOf(content).getBigUint64(HEADER_SERVER_ADDRESS, true);
}

function headerOf(content: bigint): DataView {
  return new DataView(viewOf(content - BigInt(HEADER), HEADER));
}

/**
 * The size of the map for a buffer, in whole pages. libcpg fills only these
 * with zeros: what lies in a part of a page would find no memory if `/dev/shm`
 * were full when it is first touched, here or by the daemon, which ends either.
 */
export function mapSizeOf(size: number): number {
  const pages = Math.ceil((size + HEADER) / PAGE);
  return Math.min(pages * PAGE, LARGEST_MAP);
}

/**
 * Throws if `cpg_zcb_alloc` would end the process with a failed assertion,
 * which it does wherever it cannot make, fill or map its file. Between this
 * look and the call another process can take what was free.
 */
export function checkRoom(libcpg: Libcpg, size: number, doing: string): void {
  const { calls } = libcpg;
  const mapSize = mapSizeOf(size);
  const refuse = (
    code: "CS_ERR_NO_SPACE" | "CS_ERR_NO_RESOURCES" | "CS_ERR_NO_MEMORY",
    remedy: string,
  ) => {
    throw new CpgError(doing, "cpg_zcb_alloc", code, { remedy });
  };

  const room = statfs(libcpg, FOLDER);
  if (!room) {
    return refuse("CS_ERR_NO_SPACE", `there is no ${FOLDER}: mount a tmpfs`);
  }
  if (room.free < mapSize) {
    refuse(
      "CS_ERR_NO_SPACE",
      `${FOLDER} has ${room.free} bytes free: free other buffers, or make it larger (mount -o remount,size=…, docker --shm-size)`,
    );
  }
  const limit = fileSizeLimit(libcpg);
  if (BigInt(mapSize) > limit) {
    refuse(
      "CS_ERR_NO_SPACE",
      `a file of this process may have ${limit} bytes: raise the limit (ulimit -f)`,
    );
  }
  if (room.files <= 0 || !hasDescriptors(libcpg, 1)) {
    refuse(
      "CS_ERR_NO_RESOURCES",
      `no more files can be opened: close some, or raise the limit (ulimit -n, or nr_inodes of ${FOLDER})`,
    );
  }
  const map = anonymousMap(libcpg, mapSize);
  if (map === MAP_FAILED) {
    refuse(
      "CS_ERR_NO_MEMORY",
      "no more memory can be mapped: free other buffers, or raise the limit (ulimit -v, vm.max_map_count)",
    );
  }
  calls.munmap(map, BigInt(mapSize));
}

/**
 * Has the daemon let go of a map, which stays mapped in this process.
 * (`cpg_zcb_free`)
 */
export async function freeDaemonSide(
  connection: Connection,
  content: bigint,
  size: number,
): Promise<void> {
  const { libcpg, handle } = connection;
  const start = content - BigInt(HEADER);
  if (serverAddress(content) === 0n) {
    // The daemon has no side, nor has it unlinked the file.
    unlinkFileOf(libcpg, start);
    return;
  }
  // libcpg tells the daemon what the header says, and unmaps what it is given:
  // a map of the same size with the same header.
  const mapSize = mapSizeOf(size);
  const map = anonymousMap(libcpg, mapSize);
  if (map === MAP_FAILED) return;
  new Uint8Array(viewOf(map, HEADER))
    .set(new Uint8Array(viewOf(start, HEADER)));
  const call = "cpg_zcb_free";
  try {
    await connection.call({
      doing: "Cannot free the buffer",
      call,
      attempt: () => libcpg.async[call]!(handle, map + BigInt(HEADER)),
    });
  } catch {
    // Where the connection ends, the daemon lets go by itself; libcpg leaves
    // it mapped. No call may be using it when it is unmapped.
    await connection.exclusive(() => libcpg.async.munmap(map, BigInt(mapSize)));
  }
}

/**
 * Puts memory that is empty, and takes none, in the place of a map.
 *
 * @returns Whether that worked.
 */
export function emptyContent(
  libcpg: Libcpg,
  content: bigint,
  size: number,
): boolean {
  const start = content - BigInt(HEADER);
  return anonymousMap(libcpg, mapSizeOf(size), start) === start;
}

/** Unmaps this process's side of a map, of which the daemon's is freed. */
export function unmapContent(
  { calls }: Libcpg,
  content: bigint,
  size: number,
): void {
  calls.munmap(content - BigInt(HEADER), BigInt(mapSizeOf(size)));
}

/**
 * Removes what a failed `cpg_zcb_alloc` leaves behind: a map, and the file if
 * the daemon has not seen it. Nothing says where, but its header is still
 * empty. If another thread is allocating as much at this very moment, the two
 * cannot be told apart, and both are left alone.
 */
export function removeLeftover(libcpg: Libcpg, size: number): void {
  const length = mapSizeOf(size);
  const leftovers = maps(libcpg).filter(({ start, end }) =>
    Number(end - start) === length &&
    headerOf(start + BigInt(HEADER)).getInt32(HEADER_MAP_SIZE, true) === 0
  );
  if (leftovers.length !== 1) return;
  const [{ start, file }] = leftovers;
  if (file) unlink(libcpg, file);
  libcpg.calls.munmap(start, BigInt(length));
}

/** Unlinks the file of a map, unless the daemon has done it. */
function unlinkFileOf(libcpg: Libcpg, start: bigint): void {
  const file = maps(libcpg).find((map) => map.start === start)?.file;
  if (file) unlink(libcpg, file);
}

interface Map {
  readonly start: bigint;
  readonly end: bigint;
  /** Its file, if it still has a name. */
  readonly file: string | undefined;
}

/** This process's maps that `cpg_zcb_alloc` made. */
function maps(libcpg: Libcpg): Map[] {
  const line =
    /^([0-9a-f]+)-([0-9a-f]+) .* (\/\S*\/corosync_zerocopy-\S+)( \(deleted\))?$/gm;
  return Array.from(
    readFile(libcpg, "/proc/self/maps").matchAll(line),
    ([, start, end, file, deleted]) => ({
      start: BigInt(`0x${start}`),
      end: BigInt(`0x${end}`),
      file: deleted ? undefined : file,
    }),
  );
}

/** Maps memory that is empty, somewhere or in the place of another map. */
function anonymousMap(libcpg: Libcpg, size: number, place = 0n): bigint {
  return libcpg.calls.mmap(
    place,
    BigInt(size),
    PROT_READ_WRITE,
    place === 0n ? MAP_PRIVATE_ANONYMOUS : MAP_PRIVATE_ANONYMOUS | MAP_FIXED,
    -1,
    0n,
  );
}

/** Room and files left in a file system; a tmpfs may have no limit. */
function statfs(
  libcpg: Libcpg,
  path: string,
): { free: number; files: number } | undefined {
  const status = new NativeMemory(libcpg, 256);
  try {
    const result = withPath(
      libcpg,
      path,
      (address) => libcpg.calls.statfs(address, status.address),
    );
    if (result !== 0) return undefined;
    // struct statfs: the block size, then blocks: all, free, available, then
    // files: all, free; a word of 8 bytes each, from byte 8 on.
    const [block, blocks, , available, files, freeFiles] = new BigUint64Array(
      status.bytes.buffer,
      8,
      6,
    );
    return {
      free: blocks === 0n ? Infinity : Number(block * available),
      files: files === 0n ? Infinity : Number(freeFiles),
    };
  } finally {
    status.free();
  }
}

/** The largest file that this process may write, in bytes. */
function fileSizeLimit(libcpg: Libcpg): bigint {
  const limit = new NativeMemory(libcpg, 16);
  libcpg.calls.getrlimit(RLIMIT_FSIZE, limit.address);
  const soft = limit.view.getBigUint64(0, true);
  limit.free();
  return soft;
}

function unlink(libcpg: Libcpg, path: string): void {
  withPath(libcpg, path, (address) => libcpg.calls.unlink(address));
}

/** Reads a file by libc: it needs no permission but the one for libcpg. */
function readFile(libcpg: Libcpg, path: string): string {
  const { calls } = libcpg;
  const fd = withPath(libcpg, path, (address) => calls.open(address, 0));
  if (fd < 0) return "";
  const buffer = new NativeMemory(libcpg, 65_536);
  const decoder = new TextDecoder();
  let content = "";
  while (true) {
    const size = buffer.bytes.length;
    const count = Number(
      BigInt.asIntN(64, calls.read(fd, buffer.address, BigInt(size))),
    );
    if (count <= 0) break;
    content += decoder.decode(buffer.bytes.subarray(0, count), {
      stream: true,
    });
  }
  buffer.free();
  calls.close(fd);
  return content;
}

function withPath(
  libcpg: Libcpg,
  path: string,
  use: (address: bigint) => number,
): number {
  const bytes = new TextEncoder().encode(`${path}\0`);
  const memory = new NativeMemory(libcpg, bytes.length);
  memory.bytes.set(bytes);
  const result = use(memory.address);
  memory.free();
  return result;
}
