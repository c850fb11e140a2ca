/**
 * C calls on threads of their own, on Node and Bun.
 *
 * koffi's asynchronous calls share libuv's four threads with the file system,
 * DNS and compression, and a call to a daemon that is stopped never ends. A
 * Worker would do, but a process cannot exit while one is in C. So these are
 * plain threads of C (`pthread_create`) that run a few instructions of machine
 * code (`caller/`): wait for a call, make it, tell the event loop, and again.
 *
 * @module
 */
import { Socket } from "node:net";
import process from "node:process";
import type koffi from "koffi";
import { CpgError } from "../errors.ts";
import { callers } from "./caller/code.ts";

/** koffi, as far as its functions are concerned. */
export type Koffi = typeof koffi;

/** Fields of a thread's block, in words of 8 bytes: see the sources. */
const Block = {
  FUNCTION: 0,
  ARGUMENTS: 1,
  RESULT: 7,
  NOTIFY: 8,
  NOTICE: 9,
  SEM_WAIT: 12,
  FREE: 13,
  SEMAPHORE: 14,
  /** Which thread it is. */
  INDEX: 18,
  WORDS: 19,
};

/**
 * How long Bun goes on reading when there is nothing to call, in milliseconds:
 * what is told just as it stops could be lost.
 */
const LINGERING = 50;

/** A thread's index, as it is written, in bytes. */
const NOTICE_SIZE = 8n;

/** The most threads at a time; the calls beyond wait for one. */
const MOST = 32;

/** Threads that are kept while there is nothing to call. */
const IDLE = 4;

/** `cpg_dispatch` alone takes a good 1 MiB of the stack. */
const STACK_SIZE = 4 * 2 ** 20;
const PTHREAD_CREATE_DETACHED = 1;
/** More than a `pthread_attr_t` has on any processor, in bytes. */
const ATTRIBUTES = 128;

const PAGE = 4096;
const PROT_READ_WRITE = 1 | 2;
const PROT_READ_EXEC = 1 | 4;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const O_CLOEXEC = 0o2000000;

/** Reads the pipe through which threads tell that their calls are done. */
interface Listener {
  /** Reads, and keeps the process running. */
  ref(): void;
  /** Lets the process end, since there is nothing to read. */
  unref(): void;
}

interface Thread {
  readonly index: number;
  readonly address: bigint;
  readonly block: BigUint64Array;
  /** Called with the result of the call under way. */
  done: (result: bigint) => void;
}

/** The threads that make the asynchronous calls of this thread of JavaScript. */
export class Threads {
  readonly #koffi: Koffi;
  readonly #libc: ReturnType<typeof bindLibc>;
  readonly #code: bigint;
  /** What threads write to when a call is done, each its index. */
  readonly #output: number;
  readonly #listener: Listener;
  /** All threads, by their index. */
  readonly #threads = new Map<number, Thread>();
  readonly #idle: Thread[] = [];
  /** Calls that wait for a thread. */
  readonly #waiting: ((thread: Thread) => void)[] = [];
  #started = 0;
  #calls = 0;

  /** @param arch A processor that there is machine code for. */
  constructor(koffi: Koffi, arch: keyof typeof callers) {
    this.#koffi = koffi;
    this.#libc = bindLibc(koffi);
    this.#code = this.#load(callers[arch]);
    const [input, output] = this.#pipe();
    this.#output = output;
    const listen = "bun" in process.versions ? listenOnBun : listenOnNode;
    this.#listener = listen(input, (notices) => this.#heed(notices));
    // A Worker may end while the process goes on.
    process.once(
      "exit",
      () => this.#idle.forEach((thread) => this.#end(thread)),
    );
  }

  /**
   * Calls the function at that address; the event loop goes on.
   *
   * @param urgent Do not wait for the calls before it, which may never return.
   */
  async call(
    address: bigint,
    args: readonly bigint[],
    urgent: boolean,
  ): Promise<bigint> {
    if (this.#calls++ === 0) this.#listener.ref();
    try {
      const free = this.#thread(urgent);
      const thread = free instanceof Promise ? await free : free;
      thread.block[Block.FUNCTION] = address;
      thread.block.set(args, Block.ARGUMENTS);
      const done = new Promise<bigint>((resolve) => thread.done = resolve);
      this.#libc.sem_post(thread.address + BigInt(8 * Block.SEMAPHORE));
      return await done;
    } finally {
      if (--this.#calls === 0) this.#listener.unref();
    }
  }

  /** A thread to make a call with. */
  #thread(urgent: boolean): Thread | Promise<Thread> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    if (urgent || this.#threads.size < MOST) return this.#start();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #heed(notices: Uint8Array): void {
    const { buffer, byteOffset, length } = notices;
    const view = new DataView(buffer, byteOffset, length);
    // They are written, and so read, whole.
    for (let at = 0; at < length; at += Number(NOTICE_SIZE)) {
      this.#done(view.getUint32(at, true));
    }
  }

  #done(index: number): void {
    const thread = this.#threads.get(index)!;
    const { done } = thread;
    const result = thread.block[Block.RESULT];
    const next = this.#waiting.shift();
    if (next) next(thread);
    else if (this.#idle.length < IDLE) this.#idle.push(thread);
    else this.#end(thread);
    done(result);
  }

  /** Has an idle thread end and free its block. */
  #end({ index, address, block }: Thread): void {
    block[Block.FUNCTION] = 0n;
    this.#threads.delete(index);
    this.#libc.sem_post(address + BigInt(8 * Block.SEMAPHORE));
  }

  #start(): Thread {
    const { malloc, free, sem_init, symbol } = this.#libc;
    const size = 8 * Block.WORDS;
    const address = malloc(size);
    const index = this.#started++;
    const block = new BigUint64Array(this.#koffi.view(address, size));
    const notice = address + BigInt(8 * Block.INDEX);
    block[Block.NOTIFY] = symbol("write");
    block.set([BigInt(this.#output), notice, NOTICE_SIZE], Block.NOTICE);
    block[Block.INDEX] = BigInt(index);
    block[Block.SEM_WAIT] = symbol("sem_wait");
    block[Block.FREE] = symbol("free");
    sem_init(address + BigInt(8 * Block.SEMAPHORE), 0, 0);
    const error = this.#create(address);
    if (error !== 0) {
      free(address);
      throw new CpgError(
        "Cannot call libcpg on another thread",
        "pthread_create",
        "CS_ERR_NO_RESOURCES",
        {
          remedy:
            `no thread can be started (error ${error}): raise the limit (ulimit -u, ulimit -v, or that of the container)`,
        },
      );
    }
    const thread: Thread = { index, address, block, done: () => {} };
    this.#threads.set(index, thread);
    return thread;
  }

  /** Starts a detached thread; an error of errno(3), or 0. */
  #create(block: bigint): number {
    const {
      pthread_attr_init,
      pthread_attr_setdetachstate,
      pthread_attr_setstacksize,
      pthread_attr_destroy,
      pthread_create,
    } = this.#libc;
    const attributes = new Uint8Array(ATTRIBUTES);
    pthread_attr_init(attributes);
    pthread_attr_setdetachstate(attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(attributes, STACK_SIZE);
    const id = new Uint8Array(8);
    const error = pthread_create(id, attributes, this.#code, block);
    pthread_attr_destroy(attributes);
    return error;
  }

  /** A pipe: the end to read from, and the end to write to. */
  #pipe(): Int32Array {
    const ends = new Int32Array(2);
    if (this.#libc.pipe2(ends, O_CLOEXEC) === 0) return ends;
    throw new CpgError(
      "Cannot call libcpg on another thread",
      "pipe2",
      "CS_ERR_NO_RESOURCES",
    );
  }

  /** Puts the code where it can run. It stays: a thread may be in it. */
  #load(code: Uint8Array): bigint {
    const { mmap, mprotect } = this.#libc;
    const page = mmap(0, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
    if (page !== MAP_FAILED) {
      new Uint8Array(this.#koffi.view(page, PAGE)).set(code);
      // Writable or executable, never both.
      if (mprotect(page, PAGE, PROT_READ_EXEC) === 0) return page;
    }
    throw new CpgError(
      "Cannot call libcpg on another thread",
      "mprotect",
      "CS_ERR_ACCESS",
      {
        remedy:
          "the system refuses executable memory: allow it to this process (SELinux: execmem)",
      },
    );
  }
}

/** On Node, whose event loop waits for a pipe without a thread. */
function listenOnNode(
  pipe: number,
  heed: (notices: Uint8Array) => void,
): Listener {
  const socket = new Socket({ fd: pipe, readable: true, writable: false });
  socket.on("data", heed);
  socket.unref();
  return {
    ref: () => void socket.ref(),
    unref: () => void socket.unref(),
  };
}

/** On Bun, which can do so, too, but is kept running by it. */
function listenOnBun(
  pipe: number,
  heed: (notices: Uint8Array) => void,
): Listener {
  const { Bun } = globalThis as unknown as { Bun: { file(fd: number): Blob } };
  let wanted = false;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let cancelled: Promise<void> | undefined;
  let stopping: ReturnType<typeof setTimeout> | undefined;
  const read = async () => {
    while (wanted) {
      reader = Bun.file(pipe).stream().getReader();
      for (;;) {
        const { value } = await reader.read();
        if (!value) break;
        heed(value);
      }
      await cancelled;
    }
    reader = undefined;
  };
  return {
    ref: () => {
      clearTimeout(stopping);
      wanted = true;
      if (!reader) read();
    },
    unref: () => {
      stopping = setTimeout(() => {
        wanted = false;
        cancelled = reader?.cancel();
      }, LINGERING);
    },
  };
}

/** The functions of libc that threads need. */
function bindLibc(koffi: Koffi) {
  // The process itself: all of them are part of it.
  const library = koffi.load(null);
  const bind = (name: string, result: string, ...parameters: string[]) =>
    library.func(name, result, parameters);
  const [address, pointer, size] = ["uint64", "void *", "size_t"];
  const malloc = bind("malloc", pointer, size);
  return {
    symbol: (name: string): bigint => library.symbol(name),
    malloc: malloc as (size: number) => bigint,
    free: bind("free", "void", address),
    mmap: bind("mmap", pointer, address, size, "int", "int", "int", "int64"),
    mprotect: bind("mprotect", "int", address, size, "int"),
    pipe2: bind("pipe2", "int", pointer, "int"),
    sem_init: bind("sem_init", "int", address, "int", "uint"),
    sem_post: bind("sem_post", "int", address),
    pthread_attr_init: bind("pthread_attr_init", "int", pointer),
    pthread_attr_destroy: bind("pthread_attr_destroy", "int", pointer),
    pthread_attr_setdetachstate: bind(
      "pthread_attr_setdetachstate",
      "int",
      pointer,
      "int",
    ),
    pthread_attr_setstacksize: bind(
      "pthread_attr_setstacksize",
      "int",
      pointer,
      size,
    ),
    pthread_create: bind(
      "pthread_create",
      "int",
      pointer,
      pointer,
      address,
      address,
    ),
  };
}
