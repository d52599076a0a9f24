import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findSoftHsm, SoftToken } from '../../packages/platform/src/secrets/pkcs11/soft-token.fixture.ts';
import { ADMIN_KEY, CLI, FREE_PORTS, Selsyn } from '../harness/selsyn.ts';

function run(
  args: readonly string[],
  input?: string,
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync(process.execPath, [CLI, ...args], {
    encoding: 'utf8',
    timeout: 120_000,
    ...(input !== undefined && { input }),
  });
}

function cli(server: Selsyn, args: readonly string[], input?: string): string {
  const { status, stdout, stderr } = run(['--url', server.url, '--key', ADMIN_KEY, ...args], input);
  expect(status, stderr).toBe(0);
  return stdout;
}

const found = findSoftHsm();
if ('missing' in found) process.stderr.write(`skipped in part: ${found.missing}\n`);

describe('what is sealed', () => {
  let data = '';
  beforeEach(() => (data = mkdtempSync(join(tmpdir(), 'selsyn-sealed-'))));
  afterEach(() => rmSync(data, { recursive: true }));

  it('outlives restarts and rotations of all keys, is in no file in the clear, and is told to be lost with its master key', async () => {
    const keyFile = join(data, 'secrets', 'master.key');
    {
      await using server = await Selsyn.start({ data });
      expect(statSync(keyFile).mode & 0o777).toBe(0o600);
      cli(server, ['device', 'add', 'p1']);
      cli(server, ['secret', 'set', 'p1', 'wifi'], 'a-pre-shared-key\n');
      expect(cli(server, ['secret', 'list', 'p1'])).toContain('wifi');
      expect(cli(server, ['secret', 'rotate'])).toContain('seals');
      const before = readFileSync(keyFile, 'utf8');
      cli(server, ['secret', 'rotate', '--master']);
      expect(readFileSync(keyFile, 'utf8')).not.toBe(before);
      await server.end('SIGKILL');
      await server.restart();
      expect(cli(server, ['secret', 'show', 'p1', 'wifi'])).toBe('a-pre-shared-key\n');
    }
    for (const name of ['registry.db', 'registry.db-wal']) {
      const bytes = ((): Buffer => {
        try {
          return readFileSync(join(data, name));
        } catch {
          return Buffer.alloc(0);
        }
      })();
      expect(bytes.includes('a-pre-shared-key')).toBe(false);
    }
    renameSync(keyFile, `${keyFile}.away`);
    const start = ['up', '--data', data, ...FREE_PORTS.flatMap((setting) => ['--set', setting])];
    const lost = run(start);
    expect(lost.status).toBe(1);
    expect(lost.stderr).toMatch(/the master key .*master\.key is not there, .* put back your copy/);
    expect(run(['secret', 'abandon', '--data', data]).status).toBe(1);
    expect(run(['secret', 'abandon', '--data', data, '--yes']).stdout).toContain('gave up 1 secret of devices');
    await using again = await Selsyn.start({ data });
    expect(cli(again, ['secret', 'list', 'p1'])).toContain('p1 has no secrets');
  });

  it.skipIf('missing' in found)('moves from the file into a token, and back, by a change of the configuration', async () => {
    if ('missing' in found) return;
    using token = new SoftToken(found.module);
    const inToken = [
      'secrets.masterKey=pkcs11',
      `secrets.pkcs11Module=${token.module}`,
      `secrets.pkcs11Token=${token.label}`,
      `secrets.pkcs11Pin=${token.pin}`,
    ];
    const keyFile = join(data, 'secrets', 'master.key');
    {
      await using server = await Selsyn.start({ data });
      cli(server, ['device', 'add', 'p1']);
      cli(server, ['secret', 'set', 'p1', 'wifi'], 'a-pre-shared-key');
    }
    {
      await using server = await Selsyn.start({ data, settings: inToken });
      expect(cli(server, ['secret', 'status'])).toContain('master key  pkcs11:selsyn-master:');
    }
    renameSync(keyFile, `${keyFile}.away`);
    {
      await using server = await Selsyn.start({ data, settings: inToken });
      expect(cli(server, ['secret', 'show', 'p1', 'wifi'])).toBe('a-pre-shared-key\n');
    }
    await using server = await Selsyn.start({ data, settings: [...inToken.slice(1), 'secrets.masterKey=file'] });
    expect(cli(server, ['secret', 'status'])).toContain('master key  file:');
    expect(cli(server, ['secret', 'show', 'p1', 'wifi'])).toBe('a-pre-shared-key\n');
  });
});
