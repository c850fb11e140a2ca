/**
 * Finds corosync and libcpg on this machine, or fetches them from Debian or
 * Ubuntu into a folder of the checkout, where nothing is installed by it.
 *
 * @module
 */

import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import process from "node:process";
import { fetchPackages, names } from "./fetch.ts";
import { Place } from "./place.ts";

/** A corosync that can be started, and what a process needs to reach it. */
export interface Corosync {
  /** Path of the daemon. */
  readonly daemon: string;
  /** Path of `corosync-cpgtool`, which asks the daemon for its groups. */
  readonly cpgtool: string;
  /** Path of `corosync-cmapctl`, which asks the daemon for its state. */
  readonly cmapctl: string;
  /**
   * Environment variables that a process needs to find the libraries:
   * `LD_LIBRARY_PATH` and `CPG_LIBRARY`, or none if they are installed.
   */
  readonly env: Record<string, string>;
}

/** Options of {@linkcode findCorosync}. */
export interface FindOptions {
  /** Use a fetched copy even if corosync is installed. By default false. */
  readonly fetched?: boolean;
  /**
   * Where fetched copies are kept, beside whatever else is there: as `root`,
   * with a file `lock`. By default `.corosync` in the checkout.
   */
  readonly folder?: string;
}

const LIBRARY = "libcpg.so.4";
const PACKAGES = ["corosync", "libcpg4"];
const PROGRAMS = ["corosync", "corosync-cpgtool", "corosync-cmapctl"];

/** How each package manager but apt is told to install what is needed. */
const INSTALL: Record<string, string> = {
  dnf: "sudo dnf install corosync corosynclib util-linux",
  apk: "sudo apk add corosync util-linux",
  zypper: "sudo zypper install corosync libcpg4 util-linux",
  pacman: "sudo pacman -S corosync util-linux",
};

/**
 * Finds the installed corosync, or else a copy fetched earlier, or else
 * fetches one, showing progress on standard error.
 *
 * Throws an `Error` that says what to install where packages cannot be fetched,
 * or what went wrong in fetching them.
 */
export async function findCorosync(
  { fetched = false, folder = defaultFolder() }: FindOptions = {},
): Promise<Corosync> {
  const root = resolve(folder, "root");
  const found = (fetched ? undefined : await installed()) ??
    await copyIn(root);
  if (found) return found;

  if (!await findProgram("apt-get") || !await findProgram("dpkg-deb")) {
    throw new Error(await advice());
  }
  const isWhole = async (root: string) => await copyIn(root) !== undefined;
  await fetchPackages(PACKAGES, root, isWhole);
  const copy = await copyIn(root);
  if (copy) return copy;
  throw new Error(`The copy of corosync in ${root} went away`);
}

function defaultFolder(): string {
  const { dirname } = import.meta;
  // Imported from a registry, there is no checkout.
  const installed = dirname === undefined || dirname.includes("/node_modules/");
  return join(installed ? process.cwd() : `${dirname}/..`, ".corosync");
}

async function installed(): Promise<Corosync | undefined> {
  const [daemon, cpgtool, cmapctl, library] = await Promise.all([
    ...PROGRAMS.map(findProgram),
    installedLibrary(),
  ]);
  return daemon && cpgtool && cmapctl && library
    ? { daemon, cpgtool, cmapctl, env: {} }
    : undefined;
}

function findProgram(name: string): Promise<string | undefined> {
  const path = process.env.PATH?.split(":") ?? [];
  // Not on the path of an ordinary user, as a rule.
  return firstFile([...path, "/usr/local/sbin", "/usr/sbin", "/sbin"], name);
}

async function installedLibrary(): Promise<string | undefined> {
  const cached = await readFile("/etc/ld.so.cache").then(
    // The cache holds the paths it knows as they are, each ended by a NUL.
    (cache) => new TextDecoder("latin1").decode(cache).split("\0"),
    () => [],
  );
  const folders = [
    ...process.env.LD_LIBRARY_PATH?.split(":") ?? [],
    ...cached.filter((path) => path.endsWith(`/${LIBRARY}`))
      .map((path) => path.slice(0, -LIBRARY.length - 1)),
    ...await libraryFolders(""),
  ];
  return firstFile(folders, LIBRARY);
}

async function libraryFolders(root: string): Promise<string[]> {
  const folders: string[] = [];
  for (const lib of ["lib", "lib64", "usr/lib", "usr/lib64", "usr/local/lib"]) {
    const folder = `${root}/${lib}`;
    const entries = await names(folder);
    if (entries.length > 0) folders.push(folder);
    for (const name of entries) {
      if (name.includes("-linux-")) folders.push(`${folder}/${name}`);
    }
  }
  return folders;
}

/** The copy below `root`, if it is whole and of this system. */
async function copyIn(root: string): Promise<Corosync | undefined> {
  const [daemon, cpgtool, cmapctl] = await Promise.all(
    PROGRAMS.map((name) => firstFile([`${root}/usr/sbin`], name)),
  );
  if (!daemon || !cpgtool || !cmapctl) return undefined;
  // Not before: another process may put the copy there meanwhile, all at once.
  const folders = await libraryFolders(root);
  // An installed library may be one that apt has no package of any more.
  const library = await firstFile(folders, LIBRARY) ?? await installedLibrary();
  if (!library) return undefined;

  const inherited = process.env.LD_LIBRARY_PATH;
  const env = {
    LD_LIBRARY_PATH: [...folders, ...inherited ? [inherited] : []].join(":"),
    CPG_LIBRARY: process.env.CPG_LIBRARY ?? library,
  };
  // Fails after an upgrade of the system, if the libraries no longer agree.
  return await new Place().run([daemon, "-v"], env).then(
    () => ({ daemon, cpgtool, cmapctl, env }),
    () => undefined,
  );
}

async function advice(): Promise<string> {
  const managers = Object.keys(INSTALL);
  const found = await Promise.all(managers.map(findProgram));
  const here = managers.filter((_, index) => found[index]);
  const lines = (here.length > 0 ? here : managers).map((name) =>
    `  ${INSTALL[name]}`
  );
  return `corosync and ${LIBRARY} are not installed, and can be fetched only ` +
    `where there is apt-get. Install them:\n${lines.join("\n")}`;
}

/** The path of the first file called `name` in the given folders. */
async function firstFile(
  folders: string[],
  name: string,
): Promise<string | undefined> {
  for (const folder of folders) {
    const path = `${folder}/${name}`;
    const info = await stat(path).catch(() => undefined);
    if (info?.isFile()) return path;
  }
  return undefined;
}
