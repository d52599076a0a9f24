import { MessageChannel } from 'node:worker_threads';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import type { Principal } from '../broker/authorizer.ts';
import type { OwnMessage } from '../broker/own-message.ts';
import type { ClientRequest, RequestAnswer } from '../broker/requests.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { type LogLines, silentLogLines } from '../kernel/log-lines.ts';
import type { ClientLink } from '../state/client-link.ts';
import type { DeviceRequest, Listening } from '../state/device-request.ts';
import { StateDesk } from '../state/state-desk.ts';
import type { DeviceFacing } from '../state/state-domain.ts';
import { StateLink } from './state-link.ts';

const TOPIC = '$aws/things/d/shadow/update';
const principal: Principal = {
  id: 'd',
  sessionNamespace: '',
  mayPublish: () => true,
  maySubscribe: () => true,
  mayReceive: () => true,
};

/** Answers when the test says so. */
class Domain implements DeviceFacing {
  readonly asked: { readonly request: DeviceRequest; done(): void; fail(): void }[] = [];
  readonly heard: unknown[] = [];

  request(request: DeviceRequest): Promise<void> | undefined {
    if (!/\/(shadow|commands)\//.test(request.topic)) return undefined;
    return new Promise((resolve, reject) => {
      this.asked.push({ request, done: resolve, fail: () => reject(new Error('on purpose')) });
    });
  }

  listening({ filters, from }: Listening): void {
    this.heard.push(['listening', filters, from]);
  }

  gone(link: ClientLink): void {
    this.heard.push(['gone', link]);
  }

  delivered(receipt: string, link: ClientLink): void {
    this.heard.push(['delivered', receipt, link]);
  }
}

/** A broker of one gateway thread. */
class Sender {
  readonly sent: string[] = [];
  acknowledge: (() => void)[] = [];

  announce(message: OwnMessage): void {
    this.sent.push(`${message.topic} ${Buffer.from(message.payload).toString()}`);
  }

  sendTo(client: string, message: OwnMessage, acknowledged?: () => void): boolean {
    this.sent.push(`to ${client}: ${message.topic} ${JSON.stringify(message.properties)}`);
    if (acknowledged !== undefined) this.acknowledge.push(acknowledged);
    return true;
  }
}

describe('the link between gateways and the state', () => {
  const ending: (() => void)[] = [];
  afterEach(() => {
    for (const end of ending.splice(0)) end();
  });
  const open = (gateways = 1, logLines: LogLines = silentLogLines) => {
    const channels = Array.from({ length: gateways }, () => new MessageChannel());
    const desk = new StateDesk(
      channels.map(({ port1 }) => port1),
      logLines,
      new FakeClock(),
    );
    const domain = new Domain();
    desk.open([domain]);
    const senders = channels.map(() => new Sender());
    const links = channels.map(({ port2 }, index) => {
      const link = new StateLink(port2, new FakeClock());
      link.start(senders[index] ?? new Sender());
      return link;
    });
    ending.push(() => desk[Symbol.dispose]());
    return { desk, domain, links, senders };
  };
  const request = (client = 'c', payload = '{"clientToken":"t"}', topic = TOPIC): ClientRequest => ({
    client,
    clientId: client,
    principal,
    remoteAddress: '',
    topic,
    payload: Buffer.from(payload),
  });
  const text = (answers: readonly RequestAnswer[] | 'not-taken') =>
    (answers === 'not-taken' ? [] : answers).map(({ topic, payload }) => [topic, Buffer.from(payload).toString()]);

  it('brings a request, and is done with it once the domain is, with nothing more to say', async () => {
    const { domain, links } = open();
    let done = false;
    const answer = links[0]!.answer(request()).then((answers) => ((done = true), answers));
    await expect.poll(() => domain.asked.length).toBe(1);
    expect(domain.asked[0]?.request).toMatchObject({
      topic: TOPIC,
      clientId: 'c',
      principalId: 'd',
      from: { gateway: 0, client: 'c' },
    });
    expect(done).toBe(false);
    domain.asked[0]?.done();
    expect(await answer).toEqual([]);
  });

  it('tells the client that asked where it could not be done, with its token', async () => {
    const { domain, links } = open();
    const answer = links[0]!.answer(request());
    await expect.poll(() => domain.asked.length).toBe(1);
    domain.asked[0]?.fail();
    const [[topic, body] = []] = text(await answer);
    expect([topic, JSON.parse(body ?? '')]).toMatchObject([`${TOPIC}/rejected`, { code: 500, clientToken: 't' }]);
  });

  it('does not take what has so long a topic that there would be none for the answer', async () => {
    const { domain, links } = open();
    expect(await links[0]!.answer(request('c', '{}', `$aws/things/d/jobs/${'j'.repeat(65_500)}/get`))).toBe('not-taken');
    expect(domain.asked).toEqual([]);
  });

  it('does not take an answer to a command that could not be written, as there is nowhere to say so', async () => {
    const { domain, links } = open();
    const answer = links[0]!.answer(request('c', '{}', 'devices/d/commands/1/answer'));
    await expect.poll(() => domain.asked.length).toBe(1);
    domain.asked[0]?.fail();
    expect(await answer).toBe('not-taken');
  });

  it('writes down why, a few times a second, however many could not be done', async () => {
    const lines: string[] = [];
    const logLines = pino({ level: 'warn' }, { write: (line) => void lines.push(line) });
    const { domain, links } = open(1, logLines);
    const answers = Array.from({ length: 200 }, async (_, n) => await links[0]!.answer(request(`c${n}`)));
    await expect.poll(() => domain.asked.length).toBe(200);
    for (const { fail } of domain.asked) fail();
    await Promise.all(answers);
    expect(lines.length).toBe(3);
    expect(lines[0]).toContain('a request of a device could not be done');
  });

  it('refuses the eleventh request of a client at once, not those of others, and takes more when one is done', async () => {
    const { domain, links } = open();
    const [link] = links;
    const first = Array.from({ length: 10 }, async () => await link!.answer(request()));
    const [[topic, body] = []] = text(await link!.answer(request()));
    expect([topic, JSON.parse(body ?? '')]).toMatchObject([`${TOPIC}/rejected`, { code: 429, clientToken: 't' }]);
    const other = link!.answer(request('other'));
    await expect.poll(() => domain.asked.length).toBe(11);
    domain.asked[0]?.done();
    await first[0];
    const next = link!.answer(request());
    await expect.poll(() => domain.asked.length).toBe(12);
    for (const { done } of domain.asked) done();
    expect(await Promise.all([...first, other, next])).toEqual(Array.from({ length: 12 }, () => []));
  });

  it('counts the requests of those who have no connection by who they are', async () => {
    const { domain, links } = open();
    const visit = async (id: string) => await links[0]!.answer({ ...request(''), principal: { ...principal, id } });
    const first = Array.from({ length: 10 }, async () => await visit('one'));
    expect(text(await visit('one'))).toMatchObject([[`${TOPIC}/rejected`, expect.stringContaining('429')]]);
    const other = visit('two');
    await expect.poll(() => domain.asked.length).toBe(11);
    for (const { done } of domain.asked) done();
    expect(await Promise.all([...first, other])).toEqual(Array.from({ length: 11 }, () => []));
  });

  it('sends the messages of a device by one thread, in order; those for a client by its own', async () => {
    const { desk, domain, links, senders } = open(3);
    const answered = links[1]!.answer(request());
    await expect.poll(() => domain.asked.length).toBe(1);
    const message = (n: number) => ({ device: 'd', topic: 't', payload: Buffer.from(String(n)) });
    desk.publish([message(1), message(2)]);
    desk.publish([message(3)]);
    domain.asked[0]?.done();
    await answered;
    await expect.poll(() => senders.flatMap(({ sent }) => sent)).toEqual(['t 1', 't 2', 't 3']);
    expect(senders.filter(({ sent }) => sent.length > 0).length).toBe(1);
    const to = { gateway: 2, client: 'k' };
    const properties = { responseTopic: 'r', expirySec: 5 };
    desk.publish([{ ...message(4), to, receipt: 'me', properties }]);
    await expect.poll(() => senders[2]?.acknowledge.length).toBe(1);
    expect(senders[2]?.sent.at(-1)).toBe('to k: t {"responseTopic":"r","messageExpirySec":5}');
    expect(domain.heard).toEqual([]);
    senders[2]?.acknowledge[0]?.();
    await expect.poll(() => domain.heard).toEqual([['delivered', 'me', to]]);
  });

  it('tells who listens and who has gone, in that order', async () => {
    const { domain, links } = open();
    links[0]!.listening({ client: 'c', clientId: 'c', principal, filters: ['f'], resumed: false });
    links[0]!.gone('c');
    const link = { gateway: 0, client: 'c' };
    await expect
      .poll(() => domain.heard)
      .toEqual([
        ['listening', ['f'], link],
        ['gone', link],
      ]);
  });
});
