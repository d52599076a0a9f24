import { describe, expect, it } from 'vitest';
import { SelsynError } from '../kernel/errors.ts';
import { openTestBroker, settled, subscribeOf } from './broker.fixture.ts';
import type { ClientRequest, RequestHandler } from './requests.ts';
import type { VisitorMessage } from './visitor.ts';

const message = (topic: string, text: string, more: Partial<VisitorMessage> = {}): VisitorMessage => ({
  topic,
  payload: Buffer.from(text),
  qos: 1,
  retain: false,
  principalId: 'd1',
  ...more,
});

/** The code of a promise that must not have to wait for anything. */
async function codeOf(published: Promise<number>): Promise<number | 'waits'> {
  await settled();
  return await Promise.race([published, Promise.resolve<'waits'>('waits')]);
}

describe('a message of somebody without a connection', () => {
  it('reaches subscribers with its properties, and says when there are none', async () => {
    const { broker, connect } = openTestBroker();
    expect(await broker.publishVisitor(message('a', 'x'))).toBe(0x10);
    const subscriber = await connect(5, { clientId: 's' });
    subscriber.send(subscribeOf('a', 1));
    await subscriber.take();
    const properties = { contentType: 'text/plain', userProperties: [['k', 'v']] as const };
    expect(await broker.publishVisitor(message('a', 'y', { properties }))).toBe(0);
    expect(await subscriber.take()).toMatchObject([{ type: 'publish', topic: 'a', text: 'y', qos: 1, properties }]);
  });

  it('that is telemetry is acknowledged when it is durable, not before', async () => {
    const { broker, intake } = openTestBroker();
    const published = broker.publishVisitor(message('telemetry/d1', '1', { qos: 0 }));
    expect(intake.accepted).toEqual(['1']);
    expect(await codeOf(published)).toBe('waits');
    intake.settle();
    expect(await published).toBeLessThan(0x80);
  });

  it('is refused by the code of what kept it from the log', async () => {
    const { broker, intake } = openTestBroker();
    intake.failure = new SelsynError('log.full', 'the disk is full');
    expect(await broker.publishVisitor(message('telemetry/d1', '1'))).toBe(0x97);
  });

  it('goes to whoever answers requests, as the device, and to no subscriber', async () => {
    const asked: ClientRequest[] = [];
    let answers: readonly { topic: string; payload: Uint8Array }[] = [];
    const requests: RequestHandler = {
      handles: (topic) => topic.startsWith('$aws/things/'),
      answer: async (request) => {
        asked.push(request);
        return answers;
      },
    };
    const { broker, connect } = openTestBroker({ requests });
    const subscriber = await connect(5, { clientId: 's' });
    subscriber.send(subscribeOf('$aws/#', 1));
    await subscriber.take();
    expect(await broker.publishVisitor(message('$aws/things/d1/shadow/get', '{}'))).toBe(0);
    expect(asked).toMatchObject([{ topic: '$aws/things/d1/shadow/get', clientId: 'd1', principal: { id: 'd1' } }]);
    expect(await subscriber.take()).toEqual([]);
    // What only the one who asked would be told: that it was not done.
    answers = [{ topic: '$aws/things/d1/shadow/get/rejected', payload: new Uint8Array() }];
    expect(await broker.publishVisitor(message('$aws/things/d1/shadow/get', '{}'))).toBe(0x97);
  });

  it('goes nowhere on topics of the server, with too many levels, or as text that is none', async () => {
    const { broker } = openTestBroker({ limits: { maxTopicLevels: 3 } });
    expect(await broker.publishVisitor(message('$SYS/x', ''))).toBe(0x87);
    expect(await broker.publishVisitor(message('a/b/c/d', ''))).toBe(0x90);
    const bad = { payload: Uint8Array.of(0xff), properties: { payloadIsUtf8: true } };
    expect(await broker.publishVisitor(message('a', '', bad))).toBe(0x99);
  });

  it('is retained, listed and found, and gone again', async () => {
    const { broker } = openTestBroker({ limits: { maxRetainedMessages: 3 } });
    const properties = { userProperties: [['k', 'v']] as const };
    for (const topic of ['b/2', 'a', 'b/1']) await broker.publishVisitor(message(topic, topic, { retain: true, properties }));
    expect(await broker.publishVisitor(message('c', 'one more', { retain: true }))).toBe(0x97);
    const topics = async (after: string | undefined, limit: number) =>
      (await broker.listRetained({ after, limit })).map(({ topic }) => topic);
    expect(await topics(undefined, 10)).toEqual(['a', 'b/1', 'b/2']);
    expect(await topics(undefined, 2)).toEqual(['a', 'b/1']);
    expect(await topics('b/1', 2)).toEqual(['b/2']);
    expect(broker.findRetained('b/1')).toMatchObject({ topic: 'b/1', sizeBytes: 3, qos: 1, userProperties: [['k', 'v']] });
    await broker.publishVisitor(message('b/1', '', { retain: true }));
    expect(broker.findRetained('b/1')).toBeUndefined();
    expect(await topics(undefined, 10)).toEqual(['a', 'b/2']);
  });
});
