import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findServer } from './server-address.ts';
import { sessionFile, storedSession, storeSession } from './stored-session.ts';

let home: string;
let environment: NodeJS.ProcessEnv;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'selsyn-home-'));
  environment = { HOME: home, SELSYN_DATA: join(home, 'data') };
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const url = 'http://127.0.0.1:8080';
const session = { name: 'ann', token: 'selsyn_ses_x', expiresAtMs: Date.now() + 60_000 };

test('a session is kept for its server, for this user’s eyes alone, until it ends', () => {
  storeSession(url, session, environment);
  storeSession('https://other.example', { ...session, name: 'bob' }, environment);
  expect(storedSession(url, environment)).toEqual(session);
  expect(storedSession('https://third.example', environment)).toBeUndefined();
  expect(storedSession(url, environment, session.expiresAtMs)).toBeUndefined();
  expect(statSync(sessionFile(environment)).mode & 0o777).toBe(0o600);
  storeSession(url, undefined, environment);
  expect(storedSession(url, environment)).toBeUndefined();
  expect(storedSession('https://other.example', environment)?.name).toBe('bob');
  expect(readFileSync(sessionFile(environment), 'utf8')).not.toContain('"ann"');
});

test('who has signed in acts as that user, unless a key is named', () => {
  storeSession(url, session, environment);
  expect(findServer({}, environment)).toMatchObject({ key: session.token, keyFrom: 'selsyn login (as ann)' });
  expect(findServer({ key: 'k' }, environment).key).toBe('k');
  expect(findServer({}, { ...environment, SELSYN_KEY: 'k2' }).key).toBe('k2');
  expect(() => findServer({ url: 'http://other.example' }, environment)).toThrow('selsyn login');
});

test('a file that is none of ours is as if nobody had signed in', () => {
  storeSession(url, session, environment);
  writeFileSync(sessionFile(environment), '{"http://127.0.0.1:8080": {"name": 1}}');
  expect(storedSession(url, environment)).toBeUndefined();
  writeFileSync(sessionFile(environment), 'nonsense');
  expect(storedSession(url, environment)).toBeUndefined();
});
