/**
 * Taking events out of libcpg with the recorder: machine code that calls
 * `cpg_dispatch`, and that libcpg calls in place of callbacks. It writes down
 * one event behind the other in memory of ours, and JavaScript reads them there
 * when it has returned.
 *
 * `native/recorder/` has the code in assembler, and says how it lays out its
 * state block and an event.
 *
 * @module
 */
import {
  type Arena,
  LendingArena,
  OwnArena,
  RECORDS,
  STACK_SIZE,
} from "./arena.ts";
import type { Callbacks } from "./connection.ts";
import type { Dispatcher, Take } from "./dispatch.ts";
import {
  type GroupEvent,
  type Member,
  toChanges,
  toMembers,
} from "./events.ts";
import { CpgError } from "./errors.ts";
import { forThisMachine, load } from "./executable.ts";
import type { Libcpg } from "./libcpg.ts";
import { addressOf, viewOf } from "./native/deno.ts";
import { type RecorderCode, recorders } from "./native/recorder/code.ts";
import { readCpgAddresses, SIZEOF_CPG_ADDRESS } from "./structs.ts";

/** The most that is taken at a time, in bytes as {@linkcode eventSize} has it. */
const MOST_BYTES = 2 ** 18;

/** The most events that are taken at a time. */
const MOST_EVENTS = 128;

/**
 * Room for all but the last of them, and for the largest in one piece. What is
 * written down of one that stays on the stack never needs a block.
 */
const ROOM = MOST_BYTES + 2 ** 20 + 64;

/** Bytes of an event before its payload. */
const HEADER = 24;

/** Events are at multiples of this many bytes from the first. */
const ALIGNMENT = 16;

const KIND_MESSAGE = 1;
const KIND_MEMBERSHIP = 2;
const KIND_MESSAGE_ON_STACK = 4;

/** Field numbers of the state block, in words of 8 bytes. */
const State = {
  MALLOC: 0,
  DISPATCH: 1,
  NEXT: 2,
  LEFT: 3,
  BLOCK: 4,
  FAILED: 5,
  EVENTS: 6,
  MOST: 7,
  ROOM: 8,
  RESULT: 9,
  STACK: 10,
};

const STATE_WORDS = 11;

/** The recorder of this thread: one serves all groups, one dispatch at a time. */
class Recorder {
  readonly callbacks: Callbacks;
  readonly #libcpg: Libcpg;
  /** The state block, which the machine code reads and writes. */
  readonly #state: BigUint64Array<ArrayBuffer>;
  /** The same by halves, whose reading and writing makes no objects. */
  readonly #halves: Uint32Array<ArrayBuffer>;
  readonly #address: bigint;
  readonly #drain: bigint;
  /** Who sent the last message: most come from the same as the one before. */
  #sender: Member = Object.freeze({ nodeId: 0, pid: 0 });

  private constructor(
    libcpg: Libcpg,
    code: bigint,
    entries: RecorderCode,
    state: BigUint64Array<ArrayBuffer>,
  ) {
    this.#libcpg = libcpg;
    this.#state = state;
    this.#halves = new Uint32Array(state.buffer);
    this.#address = addressOf(new Uint8Array(state.buffer));
    this.callbacks = {
      deliver: code + BigInt(entries.deliver),
      confchg: code + BigInt(entries.confchg),
      totemConfchg: code + BigInt(entries.totemConfchg),
    };
    this.#drain = code + BigInt(entries.drain);
    this.#state[State.MALLOC] = libcpg.address("malloc");
    this.#state[State.DISPATCH] = libcpg.address("cpg_dispatch");
  }

  /** Puts the code into executable memory; nothing where that is refused. */
  static create(libcpg: Libcpg): Recorder | undefined {
    const entries = forThisMachine(recorders);
    if (!entries) return undefined;
    const state = new BigUint64Array(STATE_WORDS);
    const address = addressOf(new Uint8Array(state.buffer));
    const bytes = entries.bytes.slice();
    new DataView(bytes.buffer).setBigUint64(entries.slot, address, true);
    const code = load(libcpg, bytes);
    if (code === undefined) return undefined;
    return new Recorder(libcpg, code, entries, state);
  }

  /** Takes events into an arena, and then from there. */
  run(handle: bigint, arena: Arena, room: number, take: Take): number {
    const halves = this.#halves;
    halves.fill(0, 2 * State.NEXT);
    this.#state[State.NEXT] = arena.address + BigInt(RECORDS);
    this.#state[State.STACK] = arena.address + BigInt(STACK_SIZE);
    halves[2 * State.LEFT] = arena.bytes.length - RECORDS;
    halves[2 * State.MOST] = MOST_EVENTS;
    halves[2 * State.ROOM] = Math.min(room, MOST_BYTES);
    // It calls its last argument, once, with its first two. A call through a
    // pointer costs Deno a hundred times as much as one of a known function.
    this.#libcpg.calls.bsearch(handle, this.#address, 1n, 1n, this.#drain);
    const hasBlock = halves[2 * State.BLOCK] | halves[2 * State.BLOCK + 1];
    // A block is the last one.
    const count = halves[2 * State.EVENTS] - (hasBlock ? 1 : 0);
    const block = hasBlock ? this.#state[State.BLOCK] : 0n;
    try {
      let at = RECORDS;
      for (let i = 0; i < count; i++) {
        const size = payloadSize(arena.words, at / 4);
        take(this.#read(arena, at));
        at += (HEADER + size + ALIGNMENT - 1) & -ALIGNMENT;
      }
      if (hasBlock) take(this.#readBlock(block));
    } finally {
      if (hasBlock) this.#libcpg.calls.free(block);
    }
    if (halves[2 * State.FAILED] | halves[2 * State.FAILED + 1]) this.#fail();
    return halves[2 * State.RESULT];
  }

  /** Reads the event that had no room in the arena. */
  #readBlock(address: bigint): GroupEvent {
    const words = new Uint32Array(viewOf(address, HEADER));
    const size = payloadSize(words, 0);
    const bytes = new Uint8Array(viewOf(address, HEADER + size));
    return this.#read(new OwnArena(bytes), 0);
  }

  #read(arena: Arena, at: number): GroupEvent {
    const header = at / 4;
    const [words, start] = [arena.words, at + HEADER];
    const kind = words[header];
    if (kind === KIND_MESSAGE || kind === KIND_MESSAGE_ON_STACK) {
      const onStack = kind === KIND_MESSAGE_ON_STACK;
      return {
        type: "message",
        data: arena.take(
          onStack ? Number(longAt(words, header + 6) - arena.address) : start,
          lengthAt(words, header),
        ),
        sender: this.#member(words[header + 1], words[header + 2]),
      };
    }
    const { buffer, byteOffset } = arena.bytes;
    const view = new DataView(buffer, byteOffset + start);
    if (kind === KIND_MEMBERSHIP) {
      const [members, left, joined] = words.subarray(header + 1);
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
      ringId: { nodeId: words[header + 1], seq: longAt(words, header + 4) },
      nodes: Array.from(
        { length: words[header + 2] },
        (_, i) => view.getUint32(4 * i, true),
      ),
    };
  }

  #member(nodeId: number, pid: number): Member {
    const last = this.#sender;
    return last.nodeId === nodeId && last.pid === pid
      ? last
      : this.#sender = Object.freeze({ nodeId, pid });
  }

  #fail(): never {
    const size = this.#state[State.FAILED];
    throw new CpgError(
      `Cannot receive a message of ${size} bytes`,
      "malloc",
      "CS_ERR_NO_MEMORY",
    );
  }
}

/** The 64-bit word at a place. */
function longAt(words: Uint32Array, at: number): bigint {
  return BigInt(words[at + 1]) << 32n | BigInt(words[at]);
}

/** The length of the message whose header is there. */
function lengthAt(words: Uint32Array, header: number): number {
  return words[header + 4] + words[header + 5] * 2 ** 32;
}

/** How long the payload is of the event whose header is there. */
function payloadSize(words: Uint32Array, header: number): number {
  switch (words[header]) {
    case KIND_MESSAGE:
      return lengthAt(words, header);
    case KIND_MESSAGE_ON_STACK:
      return 8;
    case KIND_MEMBERSHIP:
      return SIZEOF_CPG_ADDRESS *
        (words[header + 1] + words[header + 2] + words[header + 3]);
    default:
      return 4 * words[header + 2];
  }
}

/** What groups of one thread share. */
interface Shared {
  readonly recorder: Recorder;
  /** Where events are that are copied from there at once. */
  readonly arena: Arena;
}

const opened = new WeakMap<Libcpg, Shared>();

/** Takes events out of one connection with the recorder. */
export class RecordingDispatcher implements Dispatcher {
  readonly receiving = "recorder";
  readonly callbacks: Callbacks;
  readonly #recorder: Recorder;
  readonly #arena: Arena;
  readonly #lending: LendingArena | undefined;

  private constructor({ recorder, arena }: Shared, lend: boolean) {
    this.#recorder = recorder;
    this.#arena = arena;
    this.callbacks = recorder.callbacks;
    this.#lending = lend ? LendingArena.create(ROOM) : undefined;
  }

  /** A dispatcher, where machine code can be had. */
  static open(libcpg: Libcpg, lend: boolean): RecordingDispatcher | undefined {
    let shared = opened.get(libcpg);
    if (!shared) {
      const recorder = Recorder.create(libcpg);
      if (!recorder) return undefined;
      const arena = OwnArena.create(ROOM);
      opened.set(libcpg, shared = { recorder, arena });
    }
    return new RecordingDispatcher(shared, lend);
  }

  run(
    handle: bigint,
    room: () => number,
    mayLend: boolean,
    take: Take,
  ): number {
    const lending = mayLend ? this.#lending : undefined;
    lending?.renew();
    const arena = lending ?? this.#arena;
    return this.#recorder.run(handle, arena, room(), take);
  }

  /** The recorder is for all groups of this thread, and stays. */
  close(): void {}
}
