/** Members on the nodes of a cluster, told what to do, with their journals. */
import type { CorosyncNode, PlaceProcess } from "../../testing/mod.ts";
import { hasCompiler, program } from "../c.ts";
import { until, within } from "../support.ts";
import { type Journal, parse } from "./journal.ts";

const PROGRAM = new URL("member.ts", import.meta.url).pathname;

/** How a member is started. */
export interface MemberOptions {
  /** The group. */
  readonly group: string;
  /** The folder for the journals. */
  readonly folder: string;
  /** A program built from `tests/c/member.c`, to be used instead of ours. */
  readonly program?: string;
  /** Whether it joins with `reconnect`. */
  readonly reconnect?: boolean;
}

/**
 * How long anything may take, in milliseconds: on a crowded machine daemons
 * lose each other now and then, and come back.
 */
export const BOUND = 120_000;

/** What members are started with. */
export interface Equipment extends AsyncDisposable {
  /** A temporary folder for the journals. */
  readonly folder: string;
  /** The program built from `tests/c/member.c`, if there is a compiler. */
  readonly program?: string;
}

/**
 * Makes what members are started with. Without a C compiler, those that would
 * be in C are in TypeScript, too.
 */
export async function equip(): Promise<Equipment> {
  if (hasCompiler) {
    const { path, ...built } = await program("member.c");
    return { program: path, ...built };
  }
  console.log("No C compiler (cc): members in TypeScript instead of C");
  const folder = await Deno.makeTempDir();
  return {
    folder,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

let journals = 0;

/** A member of a group on a node: `member.ts` or `member.c`. */
export class Member {
  readonly node: CorosyncNode;
  #process: PlaceProcess;
  #path: string;
  #input: WritableStreamDefaultWriter<Uint8Array>;
  #said: string[] = [];
  #name = "";
  #listening: Promise<void>;
  #ring = "";
  #ended = false;

  private constructor(node: CorosyncNode, options: MemberOptions) {
    const { group, folder, program, reconnect } = options;
    this.node = node;
    this.#path = `${folder}/${journals++}`;
    const command = program
      ? [program]
      : [Deno.execPath(), "run", "--quiet", "--no-config", "-A", PROGRAM];
    this.#process = node.spawn(
      [...command, group, this.#path, ...reconnect ? ["reconnect"] : []],
      { stdin: "piped", stdout: "piped" },
    );
    const { stdin, stdout } = this.#process.child;
    this.#input = stdin.getWriter();
    this.#listening = this.#listen(stdout);
    this.#process.status.then(() => this.#ended = true);
  }

  /** Starts a member; resolves when it has joined. */
  static async join(
    node: CorosyncNode,
    options: MemberOptions,
  ): Promise<Member> {
    const member = new Member(node, options);
    member.#name = await member.hear("joined");
    return member;
  }

  /** Who it is, as `NODE:PID`. */
  get name(): string {
    return this.#name;
  }

  /** Its process id, as on the nodes. */
  get pid(): number {
    return Number(this.#name.split(":")[1]);
  }

  /** Whether its process has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  /** What it has written down until now. */
  get journal(): Journal {
    return parse(this.#name, this.text, !this.#ended);
  }

  /** The same as text, since it was last forgotten. */
  get text(): string {
    return this.#ring + Deno.readTextFileSync(this.#path);
  }

  /** Forgets what was written down, but for the ring that holds. */
  forget(): void {
    this.#ring = this.text.match(/^g .*\n/gm)?.at(-1) ?? "";
    Deno.truncateSync(this.#path);
  }

  /** Tells it something. */
  async tell(order: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${order}\n`));
  }

  /**
   * Waits until it says something, and returns what follows that word. Throws
   * an `Error` if it ends before.
   */
  async hear(word: string): Promise<string> {
    const who = this.#name || "a member";
    let line: string | undefined;
    const said = () => {
      const index = this.#said.findIndex((line) => line.startsWith(word));
      if (index >= 0) [line] = this.#said.splice(index, 1);
      return line !== undefined;
    };
    await until(`${who} to say ${word}`, () => said() || this.#ended, BOUND);
    if (line === undefined) {
      await this.#listening;
      if (!said()) throw new Error(`${who} has ended and not said ${word}`);
    }
    return line!.slice(word.length + 1);
  }

  /** Tells it something and waits for the answer. */
  async ask(order: string, word: string): Promise<string> {
    await this.tell(order);
    return await this.hear(word);
  }

  /** Waits until what it has written down satisfies. */
  async writes(
    what: string,
    satisfies: (text: string) => boolean,
    bound = BOUND,
  ): Promise<void> {
    await until(`${this.#name} to write ${what}`, async () => {
      if (satisfies(this.text)) return true;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return false;
    }, bound);
  }

  /** Waits until it has joined again, if it has lost its daemon. */
  async isBack(): Promise<void> {
    await this.writes(
      "its return",
      (text) => text.lastIndexOf("\nr ") >= text.lastIndexOf("\nd "),
    );
  }

  /** Waits for its end, and returns its exit status. */
  async end(): Promise<number> {
    const { code } = await within(
      `${this.#name} to end`,
      this.#process.status,
      BOUND,
    );
    await this.#input.close().catch(() => {});
    await this.#listening;
    return code;
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    await this.#process.kill("SIGKILL");
    await this.end();
  }

  async #listen(stdout: ReadableStream<Uint8Array<ArrayBuffer>>) {
    let text = "";
    for await (const chunk of stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (text + chunk).split("\n");
      text = lines.pop()!;
      this.#said.push(...lines);
    }
  }
}

/** Orders each to send so many messages and waits until all have done so. */
export async function sendFromAll(
  members: readonly Member[],
  order: string,
): Promise<void> {
  await Promise.all(members.map((member) => member.ask(order, "sent")));
}

/** How long a message may be on its way, in milliseconds, until it is lost. */
const PATIENCE = 2_000;

/**
 * Stops the members' sending, and waits until everyone has received what any of
 * them has sent, but for members that end meanwhile.
 */
export async function rest(members: readonly Member[]): Promise<void> {
  const askAll = async (order: string) => {
    const answers = await Promise.all(members.map(async (member) => {
      const sent = await member.ask(order, "sent").catch((error) => {
        if (!member.ended) throw error;
      });
      return sent === undefined ? [] : [{ member, sent: Number(sent) }];
    }));
    return answers.flat();
  };
  await askAll("stop");
  const end = Date.now() + BOUND;
  for (;;) {
    // One more, which is there only when all before it are.
    const answers = await askAll("send 1 1 0");
    const last = answers.map(({ member, sent }) =>
      `\nm ${member.name} ${sent - 1} `
    );
    try {
      for (const { member } of answers) {
        await member.writes(
          "all that was sent",
          (text) => last.every((line) => text.includes(line)),
          PATIENCE,
        );
      }
      return;
    } catch (error) {
      // A node that has just come may not get the first message.
      if (Date.now() > end) throw error;
    }
  }
}

/** Brings the members to rest and has them leave; returns their journals. */
export async function finish(members: readonly Member[]): Promise<Journal[]> {
  await rest(members);
  for (const member of members) {
    await member.tell("leave");
    const code = await member.end();
    if (code !== 0) throw new Error(`${member.name} ended with ${code}`);
  }
  return members.map(({ journal }) => journal);
}
