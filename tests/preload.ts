/**
 * Loaded before each test file and each tested example. libcpg is never
 * unloaded, so none of them should be the one that loads it.
 */
import { openLibcpg } from "../ffi.ts";

openLibcpg();
