/**
 * Memory of buffers that are freed. Something on another thread may still be
 * filling it or reading it, a file read for example, and nothing tells when
 * that is done. So it stays where it is until the garbage collector finds that
 * nobody has a view of it, or until there is too much of it.
 *
 * @module
 */

/** The most pieces of memory that stay: with the maps in use, half the limit. */
const MOST = 16_384;

/** The most bytes that stay, of what still takes memory. */
const MOST_BYTES = 2 ** 28;

interface Retired {
  free(): void;
}

/** The oldest first. */
const retired = new Set<Retired>();
let bytes = 0;

const viewed = new FinalizationRegistry<Retired>(({ free }) => free());

/** How many pieces of memory are waiting to be collected. */
export function countRetired(): number {
  return retired.size;
}

/**
 * Frees memory when nobody has a view of it any more, or when there is much
 * that waits for that.
 *
 * @param memory What all views refer to.
 * @param size How many bytes of memory it takes meanwhile.
 */
export function retire(
  memory: ArrayBuffer,
  size: number,
  free: () => void,
): void {
  let freed = false;
  const entry: Retired = {
    free() {
      if (freed) return;
      freed = true;
      if (retired.delete(entry)) bytes -= size;
      free();
    },
  };
  viewed.register(memory, entry);
  // Where views cannot be emptied, the memory has to stay for them.
  if (memory.byteLength > 0) return;
  retired.add(entry);
  bytes += size;
  for (const oldest of retired) {
    if (retired.size <= MOST && bytes <= MOST_BYTES) break;
    oldest.free();
  }
}
