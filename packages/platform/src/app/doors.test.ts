import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { loadConfig } from './config.ts';
import { doorAddresses, doorSettings, doorUrls } from './doors.ts';
import { reservePorts, urlOf } from './listening.ts';

const configOf = (...assignments: readonly string[]) => loadConfig({ environment: {}, assignments }).config;
const PORTS = { tcp: 1, tls: 2, ws: 3, wss: 4 };

describe('the doors that the settings ask for', () => {
  it('are TCP, TLS and both kinds of WebSocket, and fewer where one is left out', () => {
    const doorsOf = (...assignments: readonly string[]) => Object.keys(doorAddresses(configOf(...assignments)));
    expect(doorsOf()).toEqual(['tcp', 'tls', 'ws', 'wss']);
    expect(doorsOf('tls.enabled=false')).toEqual(['tcp', 'ws']);
    expect(doorsOf('ws.enabled=false')).toEqual(['tcp', 'tls']);
  });

  it('are opened by every thread, the Unix socket by the first alone', () => {
    const config = configOf('mqtt.unixSocket=/run/m.sock', 'mqtt.proxyProtocol=required');
    const of = (thread: number, reusePort: boolean) =>
      doorSettings({ config, ports: PORTS, tlsMaterial: undefined, thread, reusePort });
    expect(of(0, true)).toMatchObject({
      tcp: { host: '127.0.0.1', port: 1 },
      wss: { port: 4 },
      unix: '/run/m.sock',
      proxyProtocol: true,
    });
    expect(of(1, true)).toMatchObject({ tcp: { port: 1 }, tls: { port: 2 }, ws: { port: 3 }, wss: { port: 4 }, unix: undefined });
    // Where ports cannot be shared the first thread listens for all.
    expect(of(0, false).tcp?.port).toBe(1);
    expect(of(1, false)).toMatchObject({ tcp: undefined, tls: undefined, ws: undefined, wss: undefined, unix: undefined });
  });

  it('have addresses that a client on this machine can use', () => {
    expect(doorUrls(configOf('tls.host=0.0.0.0', 'ws.host=::'), PORTS)).toEqual({
      mqtt: 'mqtt://127.0.0.1:1',
      mqtts: 'mqtts://127.0.0.1:2',
      ws: 'ws://[::1]:3/mqtt',
      wss: 'wss://[::1]:4/mqtt',
      unix: undefined,
    });
    expect(urlOf('mqtt', 'gate.example', 1883)).toBe('mqtt://gate.example:1883');
  });
});

describe('reserving ports', () => {
  const free = { host: '127.0.0.1', port: 0, portKey: 'x.port' };

  it('gives each listener a port of its own', async () => {
    const ports = await reservePorts(Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`p${n}`, free])));
    expect(new Set(Object.values(ports)).size).toBe(40);
    const server = createServer().listen(ports['p0'], '127.0.0.1');
    await once(server, 'listening');
    server.close();
  });

  it('names the setting of a port that is in use, by another program or by another listener here', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const tls = { host: '127.0.0.1', port, portKey: 'tls.port', enabledKey: 'tls.enabled' };
    await expect(reservePorts({ free, tls })).rejects.toMatchObject({
      code: 'listen.failed',
      message: `tls.port: port ${port} on 127.0.0.1 is in use; choose another with --set tls.port=N, or do without with --set tls.enabled=false`,
    });
    other.close();
    await once(other, 'close');
    await expect(reservePorts({ tls, ws: { ...tls, portKey: 'ws.port' } })).rejects.toThrow(/^ws\.port/);
    await expect(reservePorts({ tls })).resolves.toEqual({ tls: port });
  });
});
