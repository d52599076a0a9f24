import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FREE, openDoors, RawClient } from './doors.fixture.ts';

describe('the Unix socket', () => {
  let folder = '';
  const path = (): string => join(folder, 'mqtt.sock');
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'selsyn-unix-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('serves its owner and group, beside other doors, without a PROXY header, and is gone after the end', async () => {
    const doors = await openDoors({ unix: path(), tcp: FREE, proxyProtocol: true });
    expect(statSync(path()).mode & 0o777).toBe(0o660);
    const client = new RawClient(connect({ path: path(), allowHalfOpen: true }));
    client.socket.end('hello');
    const admitted = await doors.nth(0);
    await expect.poll(() => [admitted.text, admitted.ended]).toEqual(['hello', true]);
    expect([admitted.door, admitted.transport.remoteAddress]).toEqual(['unix', '']);
    admitted.transport.end();
    await expect.poll(() => admitted.closed).toBe(true);
    await doors[Symbol.asyncDispose]();
    expect(existsSync(path())).toBe(false);
  });

  it('takes the place of one that a killed process left', async () => {
    writeFileSync(
      join(folder, 'victim.mjs'),
      `import { createServer } from 'node:net';
       createServer().listen(${JSON.stringify(path())}, () => process.send('listening'));`,
    );
    const victim = fork(join(folder, 'victim.mjs'), { stdio: 'ignore' });
    await once(victim, 'message');
    victim.kill('SIGKILL');
    await once(victim, 'exit');
    expect(existsSync(path())).toBe(true);
    const doors = await openDoors({ unix: path() });
    const client = new RawClient(connect(path()));
    await doors.nth(0);
    client.socket.destroy();
    await doors[Symbol.asyncDispose]();
  });

  it('does not take the place of one that somebody answers on, nor of a file, and leaves no other door open', async () => {
    const first = await openDoors({ unix: path() });
    await expect(openDoors({ tcp: FREE, unix: path() })).rejects.toMatchObject({
      code: 'listen.failed',
      message: expect.stringContaining('another process') as string,
    });
    const client = new RawClient(connect(path()));
    await first.nth(1); // the first was the question whether anybody is there
    client.socket.destroy();
    await first[Symbol.asyncDispose]();
    writeFileSync(path(), 'a file');
    await expect(openDoors({ unix: path() })).rejects.toMatchObject({ code: 'listen.failed' });
    expect(statSync(path()).size).toBe(6);
    await expect(openDoors({ unix: join(folder, 'none', 'mqtt.sock') })).rejects.toMatchObject({ code: 'listen.failed' });
  });

  it('counts its sockets with those of the other doors', async () => {
    const doors = await openDoors({ unix: path(), tcp: FREE }, { maxSockets: 2 });
    const kept = [new RawClient(connect(path())), await RawClient.open(doors.ports.tcp)];
    await doors.nth(1);
    const refused = await RawClient.open(doors.ports.tcp);
    await expect.poll(() => refused.ended || refused.closed).toBe(true);
    expect(doors.gateway.counters.refused['too-many-sockets']).toBe(1);
    doors.admitted[0]?.transport.destroy();
    await expect.poll(() => doors.gateway.counters.sockets).toBe(1);
    const next = await RawClient.open(doors.ports.tcp);
    await doors.nth(2);
    for (const { socket } of [...kept, refused, next]) socket.destroy();
    await doors[Symbol.asyncDispose]();
  });
});
