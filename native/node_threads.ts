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
  /** Which thread it is, for {@linkcode Notifier}. */
  INDEX: 18,
  WORDS: 19,
};

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

/** How a thread tells the event loop that its call is done. */
interface Notifier {
  /** A function of C, with what comes before and after the block's address. */
  readonly notify: bigint;
  notice(block: bigint, index: number): [bigint, bigint, bigint];
  /** Keeps the process running. */
  ref(): void;
  /** Lets the process end. */
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
  readonly #notifier: Notifier;
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
    const done = (index: number) => this.#done(index);
    this.#notifier = "bun" in process.versions
      ? byCallback(koffi, done)
      : byPipe(this.#libc, done);
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
    if (this.#calls++ === 0) this.#notifier.ref();
    try {
      const free = this.#thread(urgent);
      const thread = free instanceof Promise ? await free : free;
      thread.block[Block.FUNCTION] = address;
      thread.block.set(args, Block.ARGUMENTS);
      const done = new Promise<bigint>((resolve) => thread.done = resolve);
      this.#libc.sem_post(thread.address + BigInt(8 * Block.SEMAPHORE));
      return await done;
    } finally {
      if (--this.#calls === 0) this.#notifier.unref();
    }
  }

  /** A thread to make a call with. */
  #thread(urgent: boolean): Thread | Promise<Thread> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    if (urgent || this.#threads.size < MOST) return this.#start();
    return new Promise((resolve) => this.#waiting.push(resolve));
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
    block[Block.NOTIFY] = this.#notifier.notify;
    block[Block.INDEX] = BigInt(index);
    block.set(
      this.#notifier.notice(address + BigInt(8 * Block.INDEX), index),
      Block.NOTICE,
    );
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

/** Node: a byte pipe, which its event loop waits for without a thread. */
function byPipe(
  { pipe2, symbol }: ReturnType<typeof bindLibc>,
  done: (index: number) => void,
): Notifier {
  const ends = new Int32Array(2);
  if (pipe2(ends, O_CLOEXEC) !== 0) {
    throw new CpgError(
      "Cannot call libcpg on another thread",
      "pipe2",
      "CS_ERR_NO_RESOURCES",
    );
  }
  const [input, output] = ends;
  const socket = new Socket({ fd: input, readable: true, writable: false });
  // Pieces of 8 bytes are written and read whole.
  socket.on("data", (notices) => {
    for (let at = 0; at < notices.length; at += 8) {
      done(notices.readUInt32LE(at));
    }
  });
  socket.unref();
  return {
    notify: symbol("write"),
    notice: (block) => [BigInt(output), block, 8n],
    ref: () => socket.ref(),
    unref: () => socket.unref(),
  };
}

/** Bun, which cannot wait for a pipe without being kept from its end by it. */
function byCallback(koffi: Koffi, done: (index: number) => void): Notifier {
  const callback = (index: number) => {
    done(index);
    return 0;
  };
  const type = koffi.pointer(koffi.proto("int64", ["uint32"]));
  let timer: ReturnType<typeof setInterval> | undefined;
  return {
    notify: koffi.register(callback, type),
    notice: (_, index) => [BigInt(index), 0n, 0n],
    ref: () => timer = setInterval(() => {}, 2 ** 30),
    unref: () => clearInterval(timer),
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
