import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLI, Selsyn } from '../harness/selsyn.ts';

describe('a start that cannot succeed', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'selsyn-start-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Ends with exit code 1 and one line, which it returns. */
  const failingStart = (...args: string[]): string => {
    const { status, stderr, stdout } = spawnSync(process.execPath, [CLI, 'up', ...args], { encoding: 'utf8', timeout: 30_000 });
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

  it.each(['mqtt', 'http'])('names the %s port that is in use', async (listener) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const other = listener === 'mqtt' ? 'http' : 'mqtt';
    for (const threads of [1, 2]) {
      const line = failingStart(
        '--data',
        folder,
        '--set',
        `${listener}.port=${port}`,
        '--set',
        `${other}.port=0`,
        '--set',
        `gateway.threads=${threads}`,
      );
      expect(line).toContain(String(port));
      expect(line).toContain('in use');
    }
    server.close();
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
