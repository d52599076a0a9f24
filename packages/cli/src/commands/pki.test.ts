import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const MAIN = join(import.meta.dirname, '..', 'main.ts');

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'selsyn-cli-pki-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What it prints and the code it ends with, without a terminal. */
function selsyn(...args: readonly string[]): { readonly text: string; readonly code: number | null } {
  const { SELSYN_DATA: _, ...env } = process.env;
  const { stdout, stderr, status } = spawnSync(process.execPath, [MAIN, 'pki', ...args], { cwd: folder, encoding: 'utf8', env });
  return { text: stdout + stderr, code: status };
}

describe('selsyn pki', () => {
  it('makes a root and an intermediate, shows them, renews the intermediate', () => {
    expect(selsyn('show')).toMatchObject({ code: 1, text: expect.stringContaining('there is no authority in') as string });
    const made = selsyn('init', '--root', 'usb', '--name', 'Acme', '--days', '30');
    expect(made.code).toBe(0);
    expect(made.text).toMatch(
      /^root +\S+usb\/root\.crt {3}\(made\)\nintermediate +\S+data\/pki\/intermediate-\S+\.crt {3}\(until /,
    );
    expect(statSync(join(folder, 'usb', 'root.key')).mode & 0o777).toBe(0o600);
    expect(selsyn('init', '--root', 'usb')).toMatchObject({
      code: 1,
      text: expect.stringContaining('renew-intermediate') as string,
    });
    expect(selsyn('renew-intermediate', '--root', 'usb').code).toBe(0);
    const shown = selsyn('show').text.split('\n').slice(2, 4);
    expect(shown.map((line) => line.replace(/[0-9a-f]{8} /, ''))).toEqual([
      expect.stringMatching(/^Acme issuing authority +intermediate +issues /),
      expect.stringMatching(/^Acme issuing authority +intermediate +trusted /),
    ]);
    const listed = JSON.parse(selsyn('show', '--json').text) as { readonly id: string; readonly rootPem: string }[];
    expect(listed.map(({ rootPem }) => rootPem)).toEqual(Array(2).fill(readFileSync(join(folder, 'usb', 'root.crt'), 'utf8')));
  });

  it('has the root on another machine, under a passphrase', () => {
    writeFileSync(join(folder, 'words'), 'correct horse\nnot read\n');
    expect(selsyn('install', 'signed.pem').code).toBe(1);
    expect(selsyn('request', '--out', 'r.csr').code).toBe(0);
    expect(selsyn('sign', 'r.csr', '--root', 'safe', '--passphrase', '--out', 'x.pem').text).toMatch(/no terminal/);
    expect(selsyn('sign', 'r.csr', '--root', 'safe', '--passphrase-file', 'words', '--out', 'signed.pem').text).toMatch(
      /^root made/,
    );
    expect(readFileSync(join(folder, 'safe', 'root.key'), 'utf8')).toMatch(/ENCRYPTED/);
    expect(selsyn('sign', 'r.csr', '--root', 'safe', '--out', 'x.pem')).toMatchObject({
      code: 1,
      text: expect.stringContaining('locked by a passphrase') as string,
    });
    expect(selsyn('install', 'signed.pem').text).toMatch(/^intermediate /);
    expect(selsyn('show').text).toMatch(/issues/);
  });

  it('says what is wrong with what it is told', () => {
    expect(selsyn('init').text).toMatch(/--root/);
    expect(selsyn('init', '--root', 'data/root').text).toMatch(/must not be kept on the server/);
    expect(selsyn('init', '--root', 'usb', '--days', '0').text).toMatch(/whole number of days/);
    expect(selsyn('init', '--root', 'usb', '--token', 'x').text).toMatch(/belong together/);
    expect(selsyn('init', '--root', 'usb', '--token', 'x', '--token-module', '/nowhere.so').text).toMatch(/cannot be loaded/);
    expect(selsyn('init', '--root', 'usb', '--passphrase-file', 'nowhere').text).toMatch(/cannot be read/);
  });
});
