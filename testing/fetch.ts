/**
 * Fetches packages of Debian or Ubuntu and unpacks them into a folder, as an
 * ordinary user, with nothing installed or changed on the system.
 *
 * @module
 */

import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import process from "node:process";
import { decode, hasCode } from "./place.ts";
import { Process } from "./process.ts";

/** How many of the last complaints an error quotes. */
const QUOTED = 10;

/** What the name of a folder begins with that something is fetched into. */
const FETCHING = "fetching-";

/** What apt-get says while all is well. */
const PROGRESS = /^(Get|Hit|Ign|Fetched|Reading|Building)\b/;

/**
 * Unpacks `packages`, and whatever they depend on that is not installed, into
 * the folder `root`, which appears whole or not at all: see `isWhole`.
 *
 * A lock lets one process do it at a time, and the others find it done. The
 * kernel lifts the lock from a process that dies, and the next one removes what
 * that one has left.
 */
export async function fetchPackages(
  packages: readonly string[],
  root: string,
  isWhole: (root: string) => Promise<boolean>,
): Promise<void> {
  const folder = dirname(root);
  const list = packages.join(" and ");
  try {
    await mkdir(folder, { recursive: true });
    await using _lock = await lock(`${folder}/lock`, () => {
      console.error(`Waiting for another process that fetches into ${folder}`);
    });
    if (await isWhole(root)) return;

    for (const name of await names(folder)) {
      const left = name === basename(root) || name.startsWith(FETCHING);
      if (left) await remove(`${folder}/${name}`);
    }
    console.error(`Fetching ${list} into ${folder}; nothing is installed`);
    const work = await mkdtemp(`${folder}/${FETCHING}`);
    try {
      await unpack(packages, work);
      if (!await isWhole(`${work}/root`)) {
        throw new Error("what they contain does not run on this system");
      }
      await rename(`${work}/root`, root);
    } finally {
      await remove(work);
    }
  } catch (error) {
    throw new Error(
      `Cannot fetch ${list}: ${
        error instanceof Error ? error.message : error
      }` +
        "\nCheck the network and the system's package sources, or install " +
        `them: sudo apt-get install ${packages.join(" ")}`,
      { cause: error },
    );
  }
}

/**
 * Locks a file until the lock is disposed of. It is held by a process that
 * waits for the end of its lifeline, which comes even if we are killed.
 */
async function lock(file: string, wait: () => void): Promise<AsyncDisposable> {
  const script = `exec 9>"$0" || exit
    flock -n 9 || { echo wait; flock 9; } || exit
    echo locked; exec cat <&3`;
  const command = ["sh", "-c", script, file];
  const holder = new Process(command, { stdout: "piped" }, true);
  const release = async () => {
    holder.endLifeline();
    await holder.status;
  };
  let text = "";
  for await (const chunk of holder.stdout) {
    if (decode(chunk).includes("wait")) wait();
    text += decode(chunk);
    if (text.includes("locked")) return { [Symbol.asyncDispose]: release };
  }
  await release();
  throw new Error(`Cannot lock ${file} (flock, of util-linux)`);
}

/** Unpacks the packages into the folder `root` of the folder `work`. */
async function unpack(
  packages: readonly string[],
  work: string,
): Promise<void> {
  for (const name of ["state/lists", "cache/archives"]) {
    await mkdir(`${work}/${name}/partial`, { recursive: true });
  }
  const debs = `${work}/debs`;
  await mkdir(debs);

  // The system's list of what is installed is read, all else is in `work`.
  const aptGet = [
    "apt-get",
    ...Object.entries({
      "Dir::State": `${work}/state`,
      "Dir::Cache": `${work}/cache`,
      "APT::Sandbox::User": "root", // for root, who would become _apt
      "Acquire::Languages": "none",
      "Acquire::Retries": "2",
      "Acquire::http::Timeout": "20",
      "Acquire::https::Timeout": "20",
    }).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
  ];
  const complaints: string[] = [];
  const run = (command: string[], stdout: "inherit" | "piped" = "inherit") =>
    runShown(command, { cwd: debs, stdout, complaints });

  // It may fail for a package source that does not matter here.
  await run([...aptGet, "update"]).catch(() => {});
  const uris = await run([
    ...aptGet,
    "install",
    "--quiet=2",
    "--no-install-recommends",
    "--reinstall", // so that the copy has all of `packages`, installed or not
    "--print-uris",
    ...packages,
  ], "piped");
  // 'http://…' name_version_architecture.deb size checksum
  const wanted = [...uris.matchAll(/^'[^']*' ([^_\s]+)_/gm)];
  await run([...aptGet, "download", ...wanted.map(([, name]) => name)]);
  for (const name of await names(debs)) {
    await run(["dpkg-deb", "--extract", name, `${work}/root`]);
  }
}

/**
 * Runs a command, its progress shown on standard error. Returns its standard
 * output if that is piped. Throws if it fails, quoting what it and those before
 * it have complained about.
 */
async function runShown(
  command: string[],
  { cwd, stdout, complaints }: {
    cwd: string;
    stdout: "inherit" | "piped";
    complaints: string[];
  },
): Promise<string> {
  // Our own standard output belongs to the command that is run later on.
  const redirect = stdout === "inherit" ? ">&2" : "";
  const script = `exec "$0" "$@" ${redirect}`;
  const child = new Process(["sh", "-c", script, ...command], {
    cwd,
    // What an interrupted apt-get leaves behind goes with its folder.
    env: { LC_ALL: "C.UTF-8", TMPDIR: cwd },
    stdin: "null",
    stdout,
    stderr: "piped",
  });
  const output = stdout === "piped" ? new Response(child.stdout).text() : "";
  let text = "";
  for await (const chunk of child.stderr) {
    process.stderr.write(chunk);
    text += decode(chunk);
  }
  const lines = text.split("\n");
  complaints.push(...lines.filter((line) => line && !PROGRESS.test(line)));
  const { success, code } = await child.status;
  if (success) return await output;
  const name = command.filter((word) => !/^-o$|::/.test(word)).join(" ");
  throw new Error(
    [`${name} exited with ${code}`, ...complaints.slice(-QUOTED)]
      .join("\n  "),
  );
}

/** The names of what is in a folder; none if there is no such folder. */
export async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true });
}
