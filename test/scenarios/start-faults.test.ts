import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLI, FREE_PORTS, Selsyn } from '../harness/selsyn.ts';

describe('a start that cannot succeed', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'selsyn-start-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Ends with exit code 1 and one line, which it returns. */
  const failingStart = (...args: string[]): string => {
    // Of this test run, and no setting.
    const { SELSYN_SEED: _, ...env } = process.env;
    const { status, stderr, stdout } = spawnSync(process.execPath, [CLI, 'up', ...args], {
      encoding: 'utf8',
      timeout: 120_000,
      env,
    });
    expect(status, stderr).toBe(1);
    expect(stdout).toBe('');
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    return stderr;
  };

  it('names an unknown key', () => {
    expect(failingStart('--data', folder, '--set', 'mqtt.prot=1')).toMatch(/mqtt\.prot/);
    writeFileSync(join(folder, 'config.json'), '{"telemetri":{}}');
    expect(failingStart('--data', folder, '--config', join(folder, 'config.json'))).toMatch(/telemetri/);
  });

  it.each(['mqtt.port', 'http.port', 'https.port', 'tls.port', 'ws.port', 'ws.tlsPort'])(
    'names the %s that is in use',
    async (key) => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      for (const threads of [1, 2]) {
        const settings = [...FREE_PORTS, `${key}=${port}`, `gateway.threads=${threads}`];
        const line = failingStart('--data', folder, ...settings.flatMap((setting) => ['--set', setting]));
        expect(line).toContain(`${key}: port ${port}`);
        expect(line).toContain(`--set ${key}=N`);
        expect(line).toContain('in use');
      }
      server.close();
    },
  );

  it('names a certificate that cannot be used, and a Unix socket that is taken', async () => {
    const start = (setting: string): string =>
      failingStart('--data', folder, ...[...FREE_PORTS, setting].flatMap((pair) => ['--set', pair]));
    expect(start('tls.certFile=/nowhere/server.crt')).toContain('tls.certFile and tls.keyFile belong together');
    expect(start('tls.clientCaFile=/nowhere/ca.crt')).toContain('tls.clientCaFile /nowhere/ca.crt cannot be read');
    expect(start('tls.serverNames=a b')).toContain('"a b" is neither a host name nor an address');
    const path = join(folder, 'mqtt.sock');
    writeFileSync(path, '');
    expect(start(`mqtt.unixSocket=${path}`)).toContain(`mqtt.unixSocket: ${path} exists and is no socket`);
  });

  it('says that the data folder cannot be written', () => {
    writeFileSync(join(folder, 'file'), 'not a folder');
    expect(failingStart('--data', join(folder, 'file'))).toContain('cannot be written');
  });

  it('leaves a second process on the same folder outside, and the first one unharmed', async () => {
    await using selsyn = await Selsyn.start();
    const run = readFileSync(join(selsyn.data, 'run.json'), 'utf8');
    expect(failingStart('--data', selsyn.data, '--set', 'mqtt.port=0', '--set', 'http.port=0')).toContain('another process');
    expect(readFileSync(join(selsyn.data, 'run.json'), 'utf8')).toBe(run);
    expect((await selsyn.fetch('/readyz')).status).toBe(200);
  });

  it('refuses open access beyond loopback', () => {
    expect(failingStart('--data', folder, '--set', 'access.mode=open', '--set', 'mqtt.host=0.0.0.0')).toContain('loopback');
  });
});
