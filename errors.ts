/**
 * What can fail, under the names that corosync gives it.
 *
 * @module
 */
import { otherwise, table, unknown } from "./error_table.ts";

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

/** What the table says about a call's code, or else about the code. */
function advice(call: string, code: CsErrorName): string {
  const rows = table.filter((row) =>
    row.outcome === code && row.calls.includes(call)
  );
  return rows.map(({ when, remedy }) => `${when}: ${remedy}`).join("; or ") ||
    (otherwise[code] ?? unknown);
}

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
   * @param options What to do, where that is known better than from the call
   * and its result, the error's cause, and what can have become of a message.
   */
  constructor(
    doing: string,
    call: string,
    code: number | CsErrorName,
    options: { remedy?: string; cause?: unknown; delivery?: Delivery } = {},
  ) {
    const name = typeof code === "number" ? csErrorName(code) : code;
    const value = typeof code === "number" ? code : CsError[code];
    const remedy = options.remedy ?? advice(call, name);
    super(`${doing}: ${call} says ${name} (${value}): ${remedy}`, {
      cause: options.cause,
    });
    this.code = name;
    this.value = value;
    this.call = call;
    this.delivery = options.delivery;
  }
}
