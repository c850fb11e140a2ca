/**
 * The two programs that are measured: peer.c and peer.ts. Each runs as four
 * processes all the while: one that sends to itself, one that also keeps what
 * comes, and a pair, of which one sends to the other.
 *
 * @module
 */
import { TextLineStream } from "./lines.ts";

/** What a peer answers when a flood is over. */
export interface Flood {
  /** How many messages came. */
  readonly messages: number;
  /** In what time, in seconds. */
  readonly seconds: number;
  /** Processor time of the process meanwhile, in seconds. */
  readonly cpu: number;
  /**
   * By how much a timer of 10 ms was late at worst, in milliseconds; in C, the
   * longest turn of the loop.
   */
  readonly late: number;
  /** Resident memory of the process at the end, in bytes. */
  readonly resident: number;
}

/** Round trips of messages, in microseconds. */
export interface Trips {
  readonly p50: number;
  readonly p99: number;
}

/** A process that does as it is told. */
export class Peer {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;

  private constructor(command: string[]) {
    this.#process = new Deno.Command(command[0], {
      args: command.slice(1),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#lines = this.#process.stdout
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream())[Symbol.asyncIterator]();
  }

  /** Starts a peer, and waits until it has joined its group. */
  static async start(command: string[]): Promise<Peer> {
    const peer = new Peer(command);
    await peer.answer();
    return peer;
  }

  /** The next line that it says. */
  async answer<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("A program under measurement has ended early");
    return JSON.parse(value);
  }

  /** Tells it something, and waits for the answer. */
  async ask<T>(line: string): Promise<T> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
    return await this.answer();
  }

  /** Has it leave, and waits until it has ended. */
  async end(): Promise<void> {
    await this.#input.close();
    await this.#process.status;
  }
}

/** One of the two programs. */
export class Program implements AsyncDisposable {
  readonly #command: (group: string) => string[];
  readonly #alone: Peer;
  readonly #keeper: Peer;
  readonly #sender: Peer;
  readonly #receiver: Peer;

  private constructor(
    command: (group: string) => string[],
    [alone, keeper, sender, receiver]: Peer[],
  ) {
    this.#command = command;
    this.#alone = alone;
    this.#keeper = keeper;
    this.#sender = sender;
    this.#receiver = receiver;
  }

  /** Starts its processes. */
  static async start(
    name: string,
    command: (group: string) => string[],
  ): Promise<Program> {
    const commands = [
      command(`${name} alone`),
      [...command(`${name} keeper`), "keep"],
      command(`${name} pair`),
      command(`${name} pair`),
    ];
    const peers = commands.map((command) => Peer.start(command));
    return new Program(command, await Promise.all(peers));
  }

  /** One process that sends to itself as fast as it goes. */
  flood(size: number, milliseconds: number): Promise<Flood> {
    return this.#alone.ask(`flood ${size} ${milliseconds}`);
  }

  /** The same, and it keeps what comes, for a while at least. */
  kept(size: number, milliseconds: number): Promise<Flood> {
    return this.#keeper.ask(`flood ${size} ${milliseconds}`);
  }

  /** One that sends to itself from a zero-copy buffer. */
  zeroCopy(size: number, milliseconds: number): Promise<Flood> {
    return this.#alone.ask(`zcb ${size} ${milliseconds}`);
  }

  /** Messages to itself, one by one. */
  trips(size: number, milliseconds: number): Promise<Trips> {
    return this.#alone.ask(`trips ${size} ${milliseconds}`);
  }

  /** One process floods another. The processor time is that of both. */
  async pair(size: number, milliseconds: number): Promise<Flood> {
    await this.#receiver.ask("receive");
    const [sent, received] = await Promise.all([
      this.#sender.ask<Flood>(`flood ${size} ${milliseconds}`),
      this.#receiver.answer<Flood>(),
    ]);
    return { ...received, cpu: sent.cpu + received.cpu };
  }

  /**
   * Resident memory, in bytes, of a new process after each of some floods of
   * so many messages of 64 bytes.
   */
  async memory(floods: number, messages: number): Promise<number[]> {
    const peer = await Peer.start(this.#command("memory"));
    const residents: number[] = [];
    for (let i = 0; i < floods; i++) {
      const flood = `flood 64 600000 ${messages}`;
      residents.push((await peer.ask<Flood>(flood)).resident);
    }
    await peer.end();
    return residents;
  }

  /** Ends its processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    const peers = [this.#alone, this.#keeper, this.#sender, this.#receiver];
    await Promise.all(peers.map((peer) => peer.end()));
  }
}
