/**
 * What can fail, under the names that corosync gives it.
 *
 * @module
 */

/**
 * The result codes of corosync's C libraries (`cs_error_t` in
 * `corosync/corotypes.h`), by name.
 */
export const CsError = {
  CS_OK: 1,
  CS_ERR_LIBRARY: 2,
  CS_ERR_VERSION: 3,
  CS_ERR_INIT: 4,
  CS_ERR_TIMEOUT: 5,
  CS_ERR_TRY_AGAIN: 6,
  CS_ERR_INVALID_PARAM: 7,
  CS_ERR_NO_MEMORY: 8,
  CS_ERR_BAD_HANDLE: 9,
  CS_ERR_BUSY: 10,
  CS_ERR_ACCESS: 11,
  CS_ERR_NOT_EXIST: 12,
  CS_ERR_NAME_TOO_LONG: 13,
  CS_ERR_EXIST: 14,
  CS_ERR_NO_SPACE: 15,
  CS_ERR_INTERRUPT: 16,
  CS_ERR_NAME_NOT_FOUND: 17,
  CS_ERR_NO_RESOURCES: 18,
  CS_ERR_NOT_SUPPORTED: 19,
  CS_ERR_BAD_OPERATION: 20,
  CS_ERR_FAILED_OPERATION: 21,
  CS_ERR_MESSAGE_ERROR: 22,
  CS_ERR_QUEUE_FULL: 23,
  CS_ERR_QUEUE_NOT_AVAILABLE: 24,
  CS_ERR_BAD_FLAGS: 25,
  CS_ERR_TOO_BIG: 26,
  CS_ERR_NO_SECTIONS: 27,
  CS_ERR_CONTEXT_NOT_FOUND: 28,
  CS_ERR_TOO_MANY_GROUPS: 30,
  CS_ERR_SECURITY: 100,
} as const;

/** The name of a result code, `"CS_ERR_TRY_AGAIN"` for example. */
export type CsErrorName = keyof typeof CsError;

const names = new Map<number, CsErrorName>(
  Object.entries(CsError).map(([name, code]) => [code, name as CsErrorName]),
);

/**
 * The name of a result code.
 *
 * @param code What a function of libcpg returned.
 * @returns Its name; `"CS_ERR_LIBRARY"` for a number that corosync does not
 * define.
 */
export function csErrorName(code: number): CsErrorName {
  return names.get(code) ?? "CS_ERR_LIBRARY";
}

/** What to do about a code, whichever call returned it. */
const remedies: Partial<Record<CsErrorName, string>> = {
  CS_ERR_LIBRARY:
    "the connection to corosync is broken: see whether the daemon runs (systemctl status corosync)",
  CS_ERR_TRY_AGAIN: "corosync is busy or forming a new membership: try again",
  CS_ERR_INVALID_PARAM: "libcpg refuses an argument",
  CS_ERR_NO_MEMORY: "this process or the daemon is out of memory",
  CS_ERR_BAD_HANDLE: "the connection is closed: join again",
  CS_ERR_ACCESS:
    "the daemon refuses this user: run as root, or allow the user in /etc/corosync/uidgid.d (see corosync.conf(5))",
  CS_ERR_NOT_EXIST: "this connection has not joined the group, or has left it",
  CS_ERR_NAME_TOO_LONG: "a group name has at most 128 bytes",
  CS_ERR_EXIST: "this process has joined the group already",
  CS_ERR_NO_RESOURCES:
    "a limit is reached: see the limit of open files (ulimit -n) and the room in /dev/shm",
  CS_ERR_NOT_SUPPORTED: "the daemon does not offer this call",
  CS_ERR_INTERRUPT:
    "the membership changed between the fragments of a message larger than the atomic maximum, which nobody received: send it again",
  CS_ERR_TOO_BIG: "the message is larger than corosync carries",
};

/** What a code means when one particular call returns it. */
const callRemedies: Record<string, Partial<Record<CsErrorName, string>>> = {
  cpg_model_initialize: {
    CS_ERR_LIBRARY:
      "no corosync answers on this machine: start it (systemctl start corosync), and see that this process shares its network namespace",
    CS_ERR_TRY_AGAIN:
      "corosync is starting or out of resources for clients: try again",
  },
  cpg_join: {
    CS_ERR_TRY_AGAIN:
      "this process has left a group of that name a moment ago, and the departure is not agreed yet: try again",
  },
};

/** What can have become of a message that could not be sent. */
export type Delivery = "none" | "unknown";

/**
 * A failed call of libcpg.
 *
 * @example Telling one failure from another
 * ```ts
 * import { CpgError, join } from "@corosync/cpg";
 *
 * try {
 *   await using group = await join("orders");
 * } catch (error) {
 *   if (error instanceof CpgError && error.code === "CS_ERR_ACCESS") {
 *     console.error("Not allowed here:", error.message);
 *   }
 * }
 * ```
 */
export class CpgError extends Error {
  /** Always `"CpgError"`. */
  override readonly name = "CpgError";
  /** The name of the result code. */
  readonly code: CsErrorName;
  /** The result code as the number that C returned. */
  readonly value: number;
  /** The C function that failed, `"cpg_join"` for example. */
  readonly call: string;
  /**
   * Of a send that failed: whether the message may be delivered all the same.
   * `"none"`: nobody gets it. `"unknown"`: the daemon was lost when it may have
   * had the message.
   */
  readonly delivery: Delivery | undefined;

  /**
   * A failure to report.
   *
   * @param doing What was attempted: `Cannot join group "orders"`.
   * @param call The C function that failed.
   * @param code Its result: a number from C, or a name.
   * @param options A remedy better than the table's, the error's cause, and
   * what can have become of a message.
   */
  constructor(
    doing: string,
    call: string,
    code: number | CsErrorName,
    options: { remedy?: string; cause?: unknown; delivery?: Delivery } = {},
  ) {
    const name = typeof code === "number" ? csErrorName(code) : code;
    const value = typeof code === "number" ? code : CsError[code];
    const remedy = options.remedy ?? callRemedies[call]?.[name] ??
      remedies[name] ?? "corosync's log may say more";
    super(`${doing}: ${call} says ${name} (${value}): ${remedy}`, {
      cause: options.cause,
    });
    this.code = name;
    this.value = value;
    this.call = call;
    this.delivery = options.delivery;
  }
}
