/** Many members of a group, in a program of their own. */
import { program } from "./c.ts";
import { within } from "./support.ts";

/** A crowd that has joined a group. */
export interface Crowd extends AsyncDisposable {
  /** The program, to start it again. */
  readonly path: string;
}

/** The process id that the first one pretends to have; the others' follow. */
export const FIRST_PID = 1_000_000;

/** Has so many members join a group; they leave when this is disposed of. */
export async function crowd(group: string, count: number): Promise<Crowd> {
  const built = await program("crowd.c", ["-rdynamic"]);
  const process = new Deno.Command(built.path, {
    args: [group, String(count)],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const output = process.stdout.getReader();
  await within("the crowd to join", output.read());
  return {
    path: built.path,
    async [Symbol.asyncDispose]() {
      await output.cancel();
      await process.stdin.close();
      await process.status;
      await built[Symbol.asyncDispose]();
    },
  };
}
