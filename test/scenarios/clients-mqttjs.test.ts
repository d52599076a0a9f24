import { describe, expect, it } from 'vitest';
import { mqttjs } from '../harness/mqttjs-library.ts';
import { describeLibraries } from './clients.fixture.ts';

const servers = describeLibraries([mqttjs(4), mqttjs(5)]);

describe.each([mqttjs(4), mqttjs(5)])('$name', (library) => {
  it.each(['x-amzn-mqtt-ca', 'mqtt'])('is let in when it offers %s by ALPN', async (alpn) => {
    const client = await library.open(servers.through('mutual TLS'), { clientId: `alpn-${alpn}`, alpn });
    await client.publish('alpn', alpn, { qos: 1 });
    await client.leave();
  });

  it('is refused when it offers another protocol by ALPN', async () => {
    await expect(library.open(servers.through('TLS'), { clientId: 'alpn', alpn: 'h2' })).rejects.toThrow();
  });

  it('is refused without a certificate where one is required', async () => {
    const { tls, ...way } = servers.through('mutual TLS');
    if (tls === undefined) throw new Error('this door has TLS');
    await expect(library.open({ ...way, tls: { ...tls, certificate: undefined } }, { clientId: 'no one' })).rejects.toThrow();
  });
});
