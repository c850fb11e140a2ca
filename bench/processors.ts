/**
 * Who runs on which processors.
 *
 * @module
 */
import { CorosyncNode } from "../testing/mod.ts";

/**
 * Gives the daemon the first processor to itself. Left alone, the kernel has a
 * program share the daemon's or not, as it happens, and keeps to it: the same C
 * program's round trip took 43 µs in one run and 113 in the next.
 *
 * @returns What the commands of all programs are to begin with, so that they
 * have the other processors.
 */
export async function separate(): Promise<string[]> {
  const status = await Deno.readTextFile("/proc/self/status");
  const [first, ...others] = processors(
    /^Cpus_allowed_list:\s*(.*)$/m.exec(status)![1],
  );
  if (others.length === 0) {
    console.error("There is one processor, for the daemon and the programs.");
    return [];
  }
  const { pid } = CorosyncNode.ambient();
  const args = ["--all-tasks", "--cpu-list", "--pid", `${first}`, `${pid}`];
  try {
    const { success, stderr } = await new Deno.Command("taskset", { args })
      .output();
    if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
  } catch (error) {
    console.error(`The daemon has no processor to itself: ${error}`);
    return [];
  }
  return ["taskset", "--cpu-list", others.join()];
}

/** The numbers in a list like "0-2,5". */
function processors(list: string): number[] {
  return list.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
