import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** What `selsyn login` keeps of a session, for each server. */
export interface StoredSession {
  readonly name: string;
  readonly token: string;
  readonly expiresAtMs: number;
}

type Sessions = { [url: string]: StoredSession };

/** `~/.config/selsyn/sessions.json`, or where XDG_CONFIG_HOME says. */
export function sessionFile(environment: NodeJS.ProcessEnv): string {
  const config = environment['XDG_CONFIG_HOME'] ?? join(environment['HOME'] ?? homedir(), '.config');
  return join(config, 'selsyn', 'sessions.json');
}

/** The session at a server; undefined where there is none, or it is over. */
export function storedSession(url: string, environment: NodeJS.ProcessEnv, nowMs = Date.now()): StoredSession | undefined {
  const session = readSessions(sessionFile(environment))[url];
  return session !== undefined && session.expiresAtMs > nowMs ? session : undefined;
}

/** Keeps a session, readable by this user alone; undefined forgets it. */
export function storeSession(url: string, session: StoredSession | undefined, environment: NodeJS.ProcessEnv): void {
  const file = sessionFile(environment);
  const { [url]: _before, ...others } = readSessions(file);
  const sessions: Sessions = session === undefined ? others : { ...others, [url]: session };
  if (Object.keys(sessions).length === 0) return rmSync(file, { force: true });
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // A new file, so that its mode is ours whatever stood there before.
  const fresh = `${file}.${process.pid}`;
  writeFileSync(fresh, `${JSON.stringify(sessions, undefined, 2)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(fresh, file);
}

function readSessions(file: string): Sessions {
  try {
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof content !== 'object' || content === null) return {};
    return Object.fromEntries(Object.entries(content).filter((entry): entry is [string, StoredSession] => isSession(entry[1])));
  } catch {
    // None yet, or not ours: as if nobody had signed in.
    return {};
  }
}

function isSession(value: unknown): value is StoredSession {
  if (typeof value !== 'object' || value === null) return false;
  const { name, token, expiresAtMs } = value as Partial<Record<keyof StoredSession, unknown>>;
  return typeof name === 'string' && typeof token === 'string' && typeof expiresAtMs === 'number';
}
