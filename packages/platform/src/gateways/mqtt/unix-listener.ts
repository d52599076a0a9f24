import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { SelsynError, systemCode } from '../../kernel/errors.ts';

/** Owner and group may connect. */
const SOCKET_MODE = 0o660;
/** Of `sun_path`, less its end. */
const MAX_PATH_BYTES = 107;
const ANSWER_DEADLINE_MS = 2_000;

/**
 * Makes room for a Unix socket: removes the one that an earlier process left, if nobody answers on it.
 * @throws SelsynError `listen.failed` when somebody does, or when the path is something else.
 */
export async function clearUnixPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw failure(path, `is longer than the ${MAX_PATH_BYTES} bytes that the system takes`);
  let isSocket: boolean;
  try {
    isSocket = lstatSync(path).isSocket();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw failure(path, `cannot be looked at (${systemCode(error) ?? String(error)})`, error);
  }
  if (!isSocket) throw failure(path, 'exists and is no socket: choose another path, or remove it');
  if (await answers(path)) throw failure(path, 'is served by another process');
  rmSync(path, { force: true });
}

export function openUnixPath(path: string): void {
  chmodSync(path, SOCKET_MODE);
}

async function answers(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path);
    socket.setTimeout(ANSWER_DEADLINE_MS, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Only a refusal says that nobody listens: EAGAIN is a listener that is busy.
    socket.once('error', (error) => resolve(systemCode(error) !== 'ECONNREFUSED' && systemCode(error) !== 'ENOENT'));
  });
}

function failure(path: string, why: string, cause?: unknown): SelsynError {
  return new SelsynError('listen.failed', `mqtt.unixSocket: ${path} ${why}`, { cause, details: { path } });
}
