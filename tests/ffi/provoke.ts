/** Provoking what the table of errors says. */
import { assert, assertEquals } from "@std/assert";
import { type Outcome, type Row, table } from "../../error_table.ts";
import { csErrorName } from "../../ffi.ts";
import { script } from "../support.ts";

/** A function, and a row that is about it. */
type Key = `${string}: ${string}: ${string}`;

function keyOf(call: string, { outcome, when }: Row): Key {
  return `${call}: ${outcome}: ${when}`;
}

/** All that the table says, and whether a test can provoke it. */
export const said: ReadonlyMap<Key, boolean> = new Map(
  table.flatMap((row) =>
    row.calls.map((call) =>
      [keyOf(call, row), row.untested === undefined] as const
    )
  ),
);

/** What the tests provoke. */
export const provoked: Set<Key> = new Set();

/**
 * What a test claims to provoke: a function, what it comes to, and words of
 * the row if that alone does not tell which.
 */
export type Claim = readonly [call: string, outcome: Outcome, when?: string];

/** The same of several functions. */
export function each(
  calls: readonly string[],
  outcome: Outcome,
  when?: string,
): Claim[] {
  return calls.map((call) => [call, outcome, when]);
}

function rowOf([call, outcome, when = ""]: Claim): Key {
  const rows = table.filter((row) =>
    row.calls.includes(call) && row.outcome === outcome &&
    row.when.includes(when)
  );
  if (rows.length !== 1) {
    throw new Error(`${rows.length} rows: ${call}, ${outcome}, ${when}`);
  }
  return keyOf(call, rows[0]);
}

/** A test in which something is provoked. */
export interface Scene {
  /** Asserts that a call has come to what was claimed of it. */
  saw(call: string, result: number | Outcome, when?: string): void;
  /** Says why this cannot be provoked here. */
  skip(reason: string): void;
}

/** Registers a test that provokes all that it claims to. */
export function provoke(
  title: string,
  claims: readonly Claim[],
  test: (scene: Scene) => Promise<void>,
  register: (name: string, test: () => Promise<void>) => void = Deno.test,
): void {
  const keys = claims.map(rowOf);
  keys.forEach((key) => provoked.add(key));
  register(title, async () => {
    const seen = new Set<Key>();
    let skipped = false;
    await test({
      saw(call, result, when) {
        const outcome = typeof result === "number"
          ? csErrorName(result)
          : result;
        const claim = claims.find((claim) =>
          claim[0] === call && claim[1] === outcome &&
          (when === undefined || claim[2] === when)
        );
        assert(claim, `${call} came to ${outcome}, which is not claimed`);
        seen.add(rowOf(claim));
      },
      skip(reason) {
        skipped = true;
        console.log(`Skipped: ${title}: ${reason}`);
      },
    });
    if (!skipped) assertEquals([...seen].sort(), [...new Set(keys)].sort());
  });
}

/** Asserts that a promise is pending, by letting something else happen. */
export async function stillPending(
  promise: Promise<unknown>,
  meanwhile: Promise<unknown> = new Promise((go) => setTimeout(go, 200)),
): Promise<void> {
  const pending = Symbol();
  const first = await Promise.race([promise, meanwhile.then(() => pending)]);
  assert(first === pending, `It came to ${String(first)}`);
}

const url = (file: string) => new URL(file, import.meta.url).href;

/** Runs a program that has the tests' calls of libcpg at hand. */
export function ffiScript(source: string, command?: string[]) {
  const imports = `
    import * as ffi from "${url("../../ffi.ts")}";
    import { CorosyncNode } from "${url("../../testing/mod.ts")}";
    import { freshName, until } from "${url("../support.ts")}";
    import { Client } from "${url("client.ts")}";
    import { asking, Equipped } from "${url("equipped.ts")}";
    import * as kit from "${url("support.ts")}";
    const { alloc, async, beginIteration, calls, nameAt, ok, pin, zeroCopy } = kit;
  `;
  const args = ["run", "--quiet", "--no-check", "-A"];
  return script(imports + source, { args, command });
}
