import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Door } from '../harness/client-library.ts';
import { MosquittoSub, type MosquittoVersion, runMosquitto } from '../harness/mosquitto-clients.ts';
import { findProgram } from '../harness/programs.ts';
import { eventually } from '../harness/selsyn.ts';
import { OpenServers } from './clients.fixture.ts';

const isThere = ['mosquitto_pub', 'mosquitto_sub', 'mosquitto_rr', 'stdbuf'].every((name) => findProgram(name) !== undefined);
const servers = new OpenServers();
beforeAll(async () => {
  if (isThere) await servers.start();
});
afterAll(async () => await servers.stop());

/** Version 2.0 of these programs has no WebSocket. */
const DOORS: readonly Door[] = ['TCP', 'TLS', 'mutual TLS'];
const VERSIONS: readonly MosquittoVersion[] = ['mqttv311', 'mqttv5'];
const WAYS = DOORS.flatMap((door) => VERSIONS.map((version) => ({ door, version })));

describe.skipIf(!isThere).each(WAYS)('the clients of mosquitto, $version by $door', ({ door, version }) => {
  const root = `mosquitto/${version}/${door.replace(' ', '-')}`;
  const publish = async (...args: readonly string[]): Promise<string> =>
    await runMosquitto('mosquitto_pub', servers.through(door), version, args);
  const subscribe = (...args: readonly string[]): MosquittoSub =>
    new MosquittoSub(servers.through(door), version, '%t %q %r %p', args);

  it('publish and hear at every QoS', async () => {
    using sub = subscribe('-t', `${root}/qos/#`, '-q', '2');
    expect(await sub.granted()).toBe('2');
    for (const qos of ['0', '1', '2']) await publish('-t', `${root}/qos/${qos}`, '-q', qos, '-m', 'hello');
    expect(await sub.heard(3)).toEqual(['0', '1', '2'].map((qos) => `${root}/qos/${qos} ${qos} 0 hello`));
  });

  it('leave a retained message, get it, and take it back', async () => {
    await publish('-t', `${root}/kept`, '-q', '1', '-r', '-m', 'kept');
    using sub = subscribe('-t', `${root}/kept`, '-q', '1');
    expect(await sub.heard(1)).toEqual([`${root}/kept 1 1 kept`]);
    await publish('-t', `${root}/kept`, '-q', '1', '-r', '-n');
    expect(await sub.heard(2)).toEqual([`${root}/kept 1 1 kept`, `${root}/kept 1 0 `]);
    using late = subscribe('-t', `${root}/kept`, '-q', '1');
    await late.granted();
    await publish('-t', `${root}/kept`, '-q', '1', '-m', 'later');
    expect(await late.heard(1)).toEqual([`${root}/kept 1 0 later`]);
  });

  it('leave a will when they are killed, and none when they say goodbye', async () => {
    using watcher = subscribe('-t', `${root}/will/#`, '-q', '1');
    await watcher.granted();
    const will = (name: string): string[] => [
      '--will-topic',
      `${root}/will/${name}`,
      '--will-payload',
      'gone',
      '--will-qos',
      '1',
    ];
    // On a signal it says goodbye with its will (0x04), where 5.0 has that; with -E it ends by itself once it is subscribed.
    using polite = subscribe('-t', 'nothing', '-E', ...will('polite'));
    await polite.ended;
    using killed = subscribe('-t', 'nothing', ...will('killed'));
    await killed.granted();
    await killed.end('SIGKILL');
    expect(await watcher.heard(1)).toEqual([`${root}/will/killed 1 0 gone`]);
  });

  it('find their session again, with all that came in between', async () => {
    const session = ['-i', `${root}/session`, '-c', '-t', `${root}/session/#`, '-q', '2'];
    using before = subscribe(...session);
    await before.granted();
    await before.end('SIGTERM');
    for (const qos of ['0', '1', '2']) await publish('-t', `${root}/session/${qos}`, '-q', qos, '-m', 'while away');
    using after = subscribe(...session);
    await after.granted();
    await publish('-t', `${root}/session/now`, '-q', '1', '-m', 'there');
    const heard = await after.heard(3);
    expect(heard.slice(0, 2).toSorted()).toEqual([`${root}/session/1 1 0 while away`, `${root}/session/2 2 0 while away`]);
    expect(heard[2]).toBe(`${root}/session/now 1 0 there`);
  });

  it('share a subscription', async () => {
    const filter = `$share/group/${root}/shared/#`;
    using one = subscribe('-t', filter, '-q', '1');
    using other = subscribe('-t', filter, '-q', '1');
    expect([await one.granted(), await other.granted()]).toEqual(['1', '1']);
    for (let n = 0; n < 4; n++) await publish('-t', `${root}/shared/${n}`, '-q', '1', '-m', 'x');
    const all = await eventually(async () => {
      const lines = [...(await one.heard(0)), ...(await other.heard(0))];
      return lines.length >= 4 ? lines : undefined;
    });
    expect(all.toSorted()).toEqual(Array.from({ length: 4 }, (_, n) => `${root}/shared/${n} 1 0 x`));
  });

  it('ask with mosquitto_rr and are answered', async () => {
    const answerer = await connectAsync(`mqtt://127.0.0.1:${servers.plainPort(door)}`, { protocolVersion: 5 });
    answerer.on('message', (_topic, payload, { properties }) => {
      const { responseTopic, correlationData } = properties ?? {};
      const carried = correlationData === undefined ? {} : { properties: { correlationData } };
      answerer.publish(responseTopic ?? `${root}/answer`, `${payload.toString()} to you`, { qos: 1, ...carried });
    });
    await answerer.subscribeAsync(`${root}/question`, { qos: 1 });
    const correlation = version === 'mqttv5' ? ['-D', 'publish', 'correlation-data', 'q1'] : [];
    const args = ['-t', `${root}/question`, '-e', `${root}/answer`, '-q', '1', '-m', 'hello', '-W', '25', ...correlation];
    expect(await runMosquitto('mosquitto_rr', servers.through(door), version, args)).toBe('hello to you\n');
    await answerer.endAsync();
  });

  if (door === 'TCP') return;
  it.each(['x-amzn-mqtt-ca', 'mqtt'])('are let in when they offer %s by ALPN', async (alpn) => {
    await publish('--tls-alpn', alpn, '-t', `${root}/alpn`, '-q', '1', '-m', 'x');
  });
});

describe.skipIf(!isThere).each(DOORS)('the clients of mosquitto, mqttv5 by %s', (door) => {
  it('carry the properties of a message', async () => {
    const topic = `mosquitto/properties/${door.replace(' ', '-')}`;
    const way = servers.through(door);
    using sub = new MosquittoSub(way, 'mqttv5', '%C|%D|%E|%P|%R|%p', ['-t', topic, '-q', '1']);
    await sub.granted();
    const properties = [
      ['content-type', 'text/plain'],
      ['correlation-data', 'q1'],
      ['message-expiry-interval', '3600'],
      ['user-property', 'unit', '°C'],
      ['user-property', 'place', 'roof'],
      ['response-topic', 'answers'],
    ].flatMap((property) => ['-D', 'publish', ...property]);
    await runMosquitto('mosquitto_pub', way, 'mqttv5', ['-t', topic, '-q', '1', '-m', 'x', ...properties]);
    expect(await sub.heard(1)).toEqual(['text/plain|q1|3600|unit:°C place:roof|answers|x']);
  });
});
