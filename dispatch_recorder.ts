/**
 * Taking events out of libcpg with the recorder: machine code that libcpg
 * calls in place of callbacks. It copies one event into memory of ours, and
 * JavaScript reads it there when `cpg_dispatch` has returned.
 *
 * `native/recorder/` has the code in assembler, and says how it lays out its
 * state block and an event.
 *
 * @module
 */
import type { Callbacks } from "./connection.ts";
import type { Dispatcher } from "./dispatch.ts";
import { CpgError } from "./errors.ts";
import { type GroupEvent, toChanges, toMembers } from "./events.ts";
import { CsDispatch, CsError } from "./ffi.ts";
import type { Libcpg } from "./libcpg.ts";
import { addressOf, machine, viewOf } from "./native/deno.ts";
import { type RecorderCode, recorders } from "./native/recorder/code.ts";
import { readCpgAddresses, SIZEOF_CPG_ADDRESS } from "./structs.ts";

/** Room for the largest message sent in one piece, and its header. */
const ARENA = 2 ** 20 + 64;

/** Bytes of an event before its payload. */
const HEADER = 24;

const KIND_MESSAGE = 1;
const KIND_MEMBERSHIP = 2;

const PAGE = 4096n;
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** Field numbers of the state block, in words of 8 bytes. */
const State = { MALLOC: 0, ARENA: 1, CAPACITY: 2, EVENT: 3, FAILED: 4 };

/** The recorder of this thread: one serves all groups, one dispatch at a time. */
class Recorder {
  readonly callbacks: Callbacks;
  readonly #libcpg: Libcpg;
  /** The state block, which the machine code reads and writes. */
  readonly #state = new BigUint64Array(5);
  readonly #halves = new Uint32Array(this.#state.buffer);
  readonly #arena: Uint8Array<ArrayBuffer>;
  readonly #header: Uint32Array;
  readonly #arenaHalf: number;

  private constructor(libcpg: Libcpg, code: bigint, entries: RecorderCode) {
    this.#libcpg = libcpg;
    this.callbacks = {
      deliver: code + BigInt(entries.deliver),
      confchg: code + BigInt(entries.confchg),
      totemConfchg: code + BigInt(entries.totemConfchg),
    };
    // An arena 8 bytes past a multiple of 16 has its payloads, 24 bytes on, on
    // one: copying from there is many times faster on some processors.
    const memory = new Uint8Array(ARENA + 16);
    const shift = Number((24n - addressOf(memory) % 16n) % 16n);
    this.#arena = memory.subarray(shift, shift + ARENA);
    this.#header = new Uint32Array(memory.buffer, shift, HEADER / 4);
    this.#state[State.MALLOC] = libcpg.address("malloc");
    this.#state[State.ARENA] = addressOf(this.#arena);
    this.#state[State.CAPACITY] = BigInt(ARENA);
    this.#arenaHalf = this.#halves[2 * State.ARENA];
  }

  /** Puts the code into executable memory; nothing where that is refused. */
  static create(libcpg: Libcpg): Recorder | undefined {
    const entries = recorders[machine.arch as keyof typeof recorders];
    if (machine.os !== "linux" || !entries) return undefined;
    const { calls } = libcpg;
    const code = calls.mmap(
      0n,
      PAGE,
      PROT_READ | PROT_WRITE,
      MAP_PRIVATE_ANONYMOUS,
      -1,
      0n,
    );
    if (code === MAP_FAILED) return undefined;
    const recorder = new Recorder(libcpg, code, entries);
    const page = new Uint8Array(viewOf(code, Number(PAGE)));
    page.set(entries.bytes);
    new DataView(page.buffer).setBigUint64(
      entries.slot,
      addressOf(new Uint8Array(recorder.#state.buffer)),
      true,
    );
    // Writable or executable, never both.
    if (calls.mprotect(code, PAGE, PROT_READ | PROT_EXEC) === 0) {
      return recorder;
    }
    calls.munmap(code, PAGE);
    return undefined;
  }

  /** The event that was recorded since the last look, if any. */
  take(): GroupEvent | undefined {
    const low = this.#halves[2 * State.EVENT];
    const high = this.#halves[2 * State.EVENT + 1];
    if (low === 0 && high === 0) {
      if (this.#state[State.FAILED] !== 0n) this.#fail();
      return undefined;
    }
    if (low === this.#arenaHalf && this.#inArena()) {
      this.#halves[2 * State.EVENT] = this.#halves[2 * State.EVENT + 1] = 0;
      return this.#read(this.#header, this.#arena, HEADER);
    }
    // Too large for the arena: in a block from malloc, which is ours to free.
    const address = this.#state[State.EVENT];
    this.#state[State.EVENT] = 0n;
    try {
      const header = new Uint32Array(viewOf(address, HEADER).slice());
      const size = header[4] + header[5] * 2 ** 32;
      const payload = new Uint8Array(viewOf(address + BigInt(HEADER), size));
      return this.#read(header, payload, 0);
    } finally {
      this.#libcpg.calls.free(address);
    }
  }

  #inArena(): boolean {
    return this.#state[State.EVENT] === this.#state[State.ARENA];
  }

  #read(
    header: Uint32Array,
    bytes: Uint8Array<ArrayBuffer>,
    start: number,
  ): GroupEvent {
    if (header[0] === KIND_MESSAGE) {
      const size = header[4] + header[5] * 2 ** 32;
      return {
        type: "message",
        data: bytes.slice(start, start + size),
        sender: { nodeId: header[1], pid: header[2] },
      };
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset + start);
    if (header[0] === KIND_MEMBERSHIP) {
      const [, members, left, joined] = header;
      const list = (first: number, count: number) =>
        readCpgAddresses(view, first * SIZEOF_CPG_ADDRESS, count);
      return {
        type: "membership",
        members: toMembers(list(0, members)),
        joined: toChanges(list(members + left, joined)),
        left: toChanges(list(members, left)),
      };
    }
    return {
      type: "ring",
      ringId: {
        nodeId: header[1],
        seq: BigInt(header[5]) << 32n | BigInt(header[4]),
      },
      nodes: Array.from(
        { length: header[2] },
        (_, i) => view.getUint32(4 * i, true),
      ),
    };
  }

  #fail(): never {
    const size = this.#state[State.FAILED];
    this.#state[State.FAILED] = 0n;
    throw new CpgError(
      `Cannot receive a message of ${size} bytes`,
      "malloc",
      "CS_ERR_NO_MEMORY",
    );
  }
}

const opened = new WeakMap<Libcpg, Recorder>();

/** Takes events out of one connection with the recorder. */
export class RecordingDispatcher implements Dispatcher {
  readonly receiving = "recorder";
  readonly callbacks: Callbacks;
  readonly #libcpg: Libcpg;
  readonly #recorder: Recorder;

  private constructor(libcpg: Libcpg, recorder: Recorder) {
    this.#libcpg = libcpg;
    this.#recorder = recorder;
    this.callbacks = recorder.callbacks;
  }

  /** A dispatcher, where machine code can be had. */
  static open(libcpg: Libcpg): RecordingDispatcher | undefined {
    const recorder = opened.get(libcpg) ?? Recorder.create(libcpg);
    if (!recorder) return undefined;
    opened.set(libcpg, recorder);
    return new RecordingDispatcher(libcpg, recorder);
  }

  run(handle: bigint, take: (event: GroupEvent) => boolean): number {
    while (true) {
      const result = this.#libcpg.calls.cpg_dispatch(
        handle,
        CsDispatch.ONE_NONBLOCKING,
      );
      if (result !== CsError.CS_OK) return result;
      const event = this.#recorder.take();
      if (!event || !take(event)) return result;
    }
  }

  /** The recorder is for all groups of this thread, and stays. */
  close(): void {}
}
