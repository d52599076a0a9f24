import { describe, expect, it } from 'vitest';
import { subscribeOf } from '../../packages/platform/src/broker/broker.fixture.ts';
import { BOTH, expectClosed, expectOpen, field, openBroker, packetOf, types } from './conformance.fixture.ts';

describe('a topic filter', () => {
  it.each([
    [
      '# not alone in its level, or not last [MQTT-4.7.1-1 v5.0] [MQTT-4.7.1-2 v3.1.1]',
      ['a#', '#a', 'a/#b', '#/a', 'a/#/b', '##'],
    ],
    ['+ not alone in its level [MQTT-4.7.1-2 v5.0] [MQTT-4.7.1-3 v3.1.1]', ['a+', '+a', 'a/+b', 'a/b+/c', '++']],
    ['no character [MQTT-4.7.3-1]', ['']],
  ] as const)('with %s closes the connection', async (_name, filters) => {
    const { connect } = await openBroker();
    for (const version of BOTH) {
      const none = version === 5 ? [0] : [];
      for (const filter of filters) {
        for (const bytes of [packetOf(0x82, 0, 1, ...none, field(filter), 0), packetOf(0xa2, 0, 1, ...none, field(filter))]) {
          const client = await connect(version);
          client.sendBytes(bytes);
          await expectClosed(client, 0x8f);
        }
      }
    }
  });

  it.each(BOTH)(
    'matches as its wildcards say, at any level [MQTT-4.7.1-1 v5.0] [MQTT-4.7.1-2 v5.0] [MQTT-4.7.1-2 v3.1.1] [MQTT-4.7.1-3 v3.1.1] [MQTT-3.3.2-3] (level %i)',
    async (version) => {
      const { connect } = await openBroker();
      const topics = ['a', '/a', 'a/', 'a/b', 'a/b/c', 'a//c', 'b/b', '/', '//', 'a/b/'];
      for (const [filter, matches] of [
        ['a', ['a']],
        ['a/#', ['a', 'a/', 'a/b', 'a/b/c', 'a//c', 'a/b/']],
        ['#', topics],
        ['+', ['a']],
        ['+/+', ['/a', 'a/', 'a/b', 'b/b', '/']],
        ['/+', ['/a', '/']],
        ['a/+', ['a/', 'a/b']],
        ['a/+/c', ['a/b/c', 'a//c']],
        ['+/b/#', ['a/b', 'a/b/c', 'b/b', 'a/b/']],
        ['/#', ['/a', '/', '//']],
        ['a/b/c/#', ['a/b/c']],
      ] as const) {
        const client = await connect(version);
        client.send(subscribeOf(filter));
        expect(types(await client.take())).toEqual(['suback']);
        for (const topic of topics) client.publish(topic, topic);
        expect([filter, await client.texts()]).toEqual([
          filter,
          topics.filter((topic) => (matches as readonly string[]).includes(topic)),
        ]);
        client.transport.destroy();
      }
    },
  );

  it.each(BOTH)('that begins with a wildcard matches nothing that begins with $ [MQTT-4.7.2-1] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    for (const filter of ['#', '+/x', '+/#', '+']) client.send(subscribeOf(filter));
    await client.take();
    const publisher = await connect(version, { clientId: 'p' });
    for (const topic of ['$own/x', '$own', '$/x']) publisher.publish(topic, topic);
    publisher.publish('own/x', 'plain');
    expect(new Set(await client.texts())).toEqual(new Set(['plain']));
    client.send(subscribeOf('$own/#'));
    await client.take();
    publisher.publish('$own/x', 'asked for');
    expect(await client.texts()).toEqual(['asked for']);
  });

  it.each(BOTH)('is compared as it is: nothing is normalized [MQTT-4.7.3-4] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const spellings = [
      'caf\u00e9',
      'cafe\u0301',
      'Caf\u00e9',
      'caf\u00e9 ',
      ' caf\u00e9',
      '\ufeffcaf\u00e9',
      'caf\u00e9/',
      'caf%C3%A9',
      '\u{1f600}',
      'a\\b',
      'a/./b',
      'a/b',
    ];
    for (const filter of spellings) {
      const client = await connect(version);
      client.send(subscribeOf(filter));
      await client.take();
      for (const topic of spellings) client.publish(topic, topic);
      expect(await client.texts()).toEqual([filter]);
    }
  });
});

describe('a topic', () => {
  it.each(BOTH)('without a character closes the connection [MQTT-4.7.3-1] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    client.sendBytes(packetOf(0x30, field(''), ...(version === 5 ? [0] : [])));
    await expectClosed(client, version === 5 ? 0x82 : 0x90);
  });

  it.each(BOTH)('of 65,535 bytes, and a filter as long, are taken and forwarded [MQTT-4.7.3-3] (level %i)', async (version) => {
    const { connect } = await openBroker();
    const client = await connect(version);
    const longest = '\u00fc'.repeat(32_767) + 'a';
    expect(Buffer.byteLength(longest)).toBe(65_535);
    client.send(subscribeOf(longest));
    expect(await client.take()).toMatchObject([{ type: 'suback', reasonCodes: [0] }]);
    client.publish(longest, 'x');
    expect(await client.take()).toMatchObject([{ topic: longest, text: 'x' }]);
    await expectOpen(client);
  });
});
