import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Bus, BusListener, BusPacket, PacketUse, PeerId, Receipt } from './bus.ts';
import { SLOTS, type Slot } from './slot.ts';

/** How far a peer may lag: where publishers should pause, and where packets are dropped. */
export interface BusBounds {
  readonly highBytes: number;
  readonly maxBytes: number;
}

/** Peers that are joined, and who is who to whom. */
export interface BusHarness extends AsyncDisposable {
  readonly buses: readonly Bus[];
  /** What `buses[of]` calls `buses[peer]`. */
  peerId(of: number, peer: number): PeerId;
  /** Resolves when all that was sent has arrived, and so have the answers. */
  settled(): Promise<void>;
}

/** Writes down what it hears. */
export class RecordingListener implements BusListener {
  readonly heard: string[] = [];
  /** Called for packets whose sender wants a receipt. */
  onReceipt: (answer: (code: number) => void, text: string) => void = (answer) => answer(0);

  onInterest(peer: PeerId, filter: string, weight: number): void {
    this.heard.push(`${filter} of ${peer}: ${weight}`);
  }
  onPacket(packet: BusPacket, answer: ((code: number) => void) | undefined, from: PeerId): void {
    const { use, bytes, group, origin, mark } = packet;
    const text = Buffer.from(bytes).toString();
    this.heard.push([use, text, ...(group === '' ? [] : [`for ${group}`]), ...(origin === '' ? [] : [`by ${origin}`])].join(' '));
    if (mark !== undefined) this.heard.push(`with mark ${mark.session} ${mark.packetId} ${mark.again} from ${from}`);
    if (answer !== undefined) this.onReceipt(answer, text);
  }
  onSessionOpened(key: string, stamp: number): void {
    this.heard.push(`session ${key} ${stamp}`);
  }
  onDisconnectPrincipal(principalId: string): void {
    this.heard.push(`disconnect ${principalId}`);
  }
  onPeerGone(peer: PeerId): void {
    this.heard.push(`gone ${peer}`);
  }
  onDrained(): void {
    this.heard.push('drained');
  }
}

/** A packet of text. */
export function packetOf(text: string, use: PacketUse = 'deliver', group = '', origin = ''): BusPacket {
  return { use, bytes: Buffer.from(text), group, origin };
}

/** A receipt that keeps every code it was answered with. */
class Kept implements Receipt {
  readonly codes: number[] = [];
  answered(code: number): void {
    this.codes.push(code);
  }
}

/** What every driver of the bus keeps. */
export function busContract(name: string, makeHarness: (peers: number, bounds?: BusBounds) => Promise<BusHarness>): void {
  describe(`the bus on ${name}`, () => {
    let harness: BusHarness;
    let listeners: RecordingListener[];

    const open = async (bounds?: BusBounds): Promise<void> => {
      harness = await makeHarness(3, bounds);
      listeners = harness.buses.map((bus) => {
        const listener = new RecordingListener();
        bus.attach(listener);
        return listener;
      });
    };
    const bus = (index: number): Bus => at(harness.buses, index);
    const listener = (index: number): RecordingListener => at(listeners, index);
    const heard = async (index: number): Promise<string[]> => {
      await harness.settled();
      return listener(index).heard;
    };

    beforeEach(async () => await open());
    afterEach(async () => {
      await harness[Symbol.asyncDispose]();
    });

    it('sends a packet to one peer, and to all, with all that belongs to it', async () => {
      expect(bus(0).send(harness.peerId(0, 1), packetOf('one', 'share', '$share/g/ä/#', 'key of é'))).toBe(true);
      expect(bus(0).sendAll(packetOf('all', 'retained'))).toBe(true);
      expect(bus(0).send(harness.peerId(0, 1), packetOf('home', 'retain', '', 'k'))).toBe(true);
      expect(await heard(1)).toEqual(['share one for $share/g/ä/# by key of é', 'retained all', 'retain home by k']);
      expect(await heard(2)).toEqual(['retained all']);
      expect(await heard(0)).toEqual([]);
    });

    it('brings the marks of packets, and who sent them', async () => {
      const mark = { session: 2 ** 40, packetId: 65_535, again: true };
      const peer = harness.peerId(0, 1);
      bus(0).send(peer, { ...packetOf('one', 'share', 'g', 'k'), mark });
      bus(0).send(peer, packetOf('two', 'deliver', '', 'k'));
      bus(0).send(peer, { ...packetOf('', 'marked', 'g', 'k'), mark: { ...mark, again: false } });
      bus(0).send(peer, { ...packetOf('', 'unmark', '', 'k'), mark: { session: 1, packetId: 1, again: false } });
      const me = harness.peerId(1, 0);
      expect(await heard(1)).toEqual([
        'share one for g by k',
        `with mark ${2 ** 40} 65535 true from ${me}`,
        'deliver two by k',
        'marked  for g by k',
        `with mark ${2 ** 40} 65535 false from ${me}`,
        'unmark  by k',
        `with mark 1 1 false from ${me}`,
      ]);
    });

    it('tells by how many messages are wanted, and when no more', async () => {
      bus(1).announce('$share/g/a', 2);
      bus(1).announce('$share/g/a', 1_000_000);
      bus(1).announce('$share/g/a', 0);
      const me = harness.peerId(0, 1);
      expect(await heard(0)).toEqual([`$share/g/a of ${me}: 2`, `$share/g/a of ${me}: 1000000`, `$share/g/a of ${me}: 0`]);
    });

    it('is settled once all peers know what was announced, and what they sent before is here', async () => {
      bus(1).send(harness.peerId(1, 0), packetOf('before'));
      bus(0).announce('a/#', 1);
      const first = bus(0).settled();
      bus(0).announce('b/#', 1);
      await Promise.all([first, bus(0).settled()]);
      for (const [peer, others] of [1, 2].map((index) => [harness.peerId(index, 0), listener(index).heard] as const)) {
        expect(others).toEqual([`a/# of ${peer}: 1`, `b/# of ${peer}: 1`]);
      }
      expect(listener(0).heard).toEqual(['deliver before']);
    });

    it('copies a packet: its buffer may be used again at once', async () => {
      const bytes = Buffer.from('first');
      bus(0).send(harness.peerId(0, 1), { use: 'deliver', bytes, group: '', origin: '' });
      bytes.write('wrong');
      expect(await heard(1)).toEqual(['deliver first']);
    });

    it('keeps the order of all that it sends to a peer, whatever the kinds', async () => {
      const peer = harness.peerId(0, 1);
      const me = harness.peerId(1, 0);
      const expected: string[] = [];
      for (let i = 0; i < 1_000; i++) {
        switch (i % 6) {
          case 0:
            bus(0).announce(`a/${i}`, i);
            expected.push(`a/${i} of ${me}: ${i}`);
            break;
          case 1:
            bus(0).send(peer, packetOf(String(i)), new Kept());
            expected.push(`deliver ${i}`);
            break;
          case 2:
            bus(0).sendAll(packetOf(String(i), 'retained'));
            expected.push(`retained ${i}`);
            break;
          case 3:
            expected.push(`session k ${bus(0).openSession('k')}`);
            break;
          case 4:
            bus(0).disconnectPrincipal(String(i));
            expected.push(`disconnect ${i}`);
            break;
          default:
            bus(0).send(peer, packetOf(String(i), 'share', 'g'));
            expected.push(`share ${i} for g`);
        }
        if (i % 100 === 0) await Promise.resolve(bus(0).settled());
      }
      expect(await heard(1)).toEqual(expected);
    });

    it('carries large and empty packets', async () => {
      const large = 'x'.repeat(300_000);
      bus(0).send(harness.peerId(0, 1), packetOf(large));
      bus(0).send(harness.peerId(0, 1), packetOf('', 'retain'));
      expect(await heard(1)).toEqual([`deliver ${large}`, 'retain ']);
    });

    it('says the same of the home of a slot in every peer, and spreads the slots', () => {
      for (let of = 0; of < 3; of++) {
        const names = [0, 1, 2].map((peer) => (peer === of ? bus(of).self : harness.peerId(of, peer)));
        const homes = Array.from({ length: SLOTS }, (_, slot) => names.indexOf(bus(of).homeOf(slot as Slot)));
        expect(homes).toEqual(Array.from({ length: SLOTS }, (_, slot) => [0, 1, 2].indexOf(bus(0).homeOf(slot as Slot))));
        for (const index of [0, 1, 2]) expect(homes.filter((home) => home === index).length).toBeGreaterThan(300);
      }
    });

    describe('receipts', () => {
      it('are answered with what the peer says, when it says so, and not before', async () => {
        const answers: ((code: number) => void)[] = [];
        listener(1).onReceipt = (answer) => answers.push(answer);
        const receipts = ['a', 'b', 'c'].map((text) => {
          const receipt = new Kept();
          expect(bus(0).send(harness.peerId(0, 1), packetOf(text), receipt)).toBe(true);
          return receipt;
        });
        await harness.settled();
        expect(receipts.map(({ codes }) => codes)).toEqual([[], [], []]);
        answers[2]?.(0x97);
        answers[0]?.(0x10);
        await harness.settled();
        expect(receipts.map(({ codes }) => codes)).toEqual([[0x10], [], [0x97]]);
        answers[1]?.(0);
        await harness.settled();
        expect(receipts.map(({ codes }) => codes)).toEqual([[0x10], [0], [0x97]]);
      });

      it('are answered once each under load, in both directions, in any order', async () => {
        const late: (() => void)[] = [];
        for (const index of [0, 1, 2]) {
          listener(index).onReceipt = (answer, text) => {
            const code = Number(text) % 0x90;
            if (Number(text) % 3 === 0) late.unshift(() => answer(code));
            else answer(code);
          };
        }
        const receipts: Kept[] = [];
        for (let i = 0; i < 30_000; i++) {
          const from = i % 3;
          const receipt = new Kept();
          receipts.push(receipt);
          if (!bus(from).send(harness.peerId(from, (from + 1 + (i % 2)) % 3), packetOf(String(i)), receipt))
            throw new Error('dropped');
          if (i % 1_000 === 999) {
            await new Promise(setImmediate);
            for (const answer of late.splice(0)) answer();
          }
        }
        await harness.settled();
        for (const answer of late.splice(0)) answer();
        await harness.settled();
        expect(receipts.findIndex(({ codes }, i) => codes.length !== 1 || codes[0] !== i % 0x90)).toBe(-1);
      });

      it('are answered with Unspecified error when the peer goes, and when it has gone, but not from within send', async () => {
        listener(1).onReceipt = (answer, text) => {
          if (text === 'done') answer(0);
        };
        const [done, open, after] = [new Kept(), new Kept(), new Kept()];
        const peer = harness.peerId(0, 1);
        bus(0).send(peer, packetOf('done'), done);
        bus(0).send(peer, packetOf('open'), open);
        await harness.settled();
        await bus(1)[Symbol.asyncDispose]();
        await harness.settled();
        expect(bus(0).send(peer, packetOf('after'), after)).toBe(true);
        expect(after.codes).toEqual([]);
        await harness.settled();
        expect([done.codes, open.codes, after.codes]).toEqual([[0], [0x80], [0x80]]);
      });

      it('are answered with Unspecified error when this end closes', async () => {
        listener(1).onReceipt = () => {};
        const receipt = new Kept();
        bus(0).send(harness.peerId(0, 1), packetOf('x'), receipt);
        await harness.settled();
        await bus(0)[Symbol.asyncDispose]();
        await harness.settled();
        expect(receipt.codes).toEqual([0x80]);
      });

      it('that a peer owes count as lagging', async () => {
        await harness[Symbol.asyncDispose]();
        await open({ highBytes: 5_000, maxBytes: 10_000 });
        const answers: ((code: number) => void)[] = [];
        listener(1).onReceipt = (answer) => answers.push(answer);
        const peer = harness.peerId(0, 1);
        let taken = 0;
        while (bus(0).send(peer, packetOf('x'), new Kept())) {
          if (++taken > 10_000) throw new Error('there is no bound');
          if (taken % 50 === 0) await harness.settled();
        }
        expect(bus(0).saturated).toBe(true);
        await harness.settled();
        expect([bus(0).saturated, listener(0).heard]).toEqual([true, []]);
        for (const answer of answers) answer(0);
        await harness.settled();
        expect([bus(0).saturated, listener(0).heard]).toEqual([false, ['drained']]);
      });
    });

    it('is saturated while a peer lags, drops beyond the bound, and says when it has drained', async () => {
      await harness[Symbol.asyncDispose]();
      await open({ highBytes: 20_000, maxBytes: 40_000 });
      const peer = harness.peerId(0, 1);
      const receipts: Kept[] = [];
      const taken: number[] = [];
      for (let i = 0; i < 1_000; i++) {
        const receipt = new Kept();
        receipts.push(receipt);
        if (bus(0).send(peer, packetOf(`${i} ${'x'.repeat(90)}`), receipt)) taken.push(i);
        if (i === 10) expect(bus(0).saturated).toBe(false);
      }
      expect(bus(0).saturated).toBe(true);
      expect(taken.length).toBeGreaterThan(100);
      expect(taken.length).toBeLessThan(450);
      // Whoever does not lag gets it.
      expect(bus(0).send(harness.peerId(0, 2), packetOf('y'))).toBe(true);
      expect(bus(0).sendAll(packetOf('z'.repeat(100)))).toBe(false);
      expect((await heard(1)).map((line) => line.split(' ')[1])).toEqual(taken.map(String));
      expect(await heard(2)).toEqual(['deliver y', `deliver ${'z'.repeat(100)}`]);
      expect([listener(0).heard, bus(0).saturated]).toEqual([['drained'], false]);
      expect(receipts.map(({ codes }) => codes.length)).toEqual(receipts.map((_, i) => (taken.includes(i) ? 1 : 0)));
      expect(bus(0).send(peer, packetOf('again'))).toBe(true);
    });

    it('orders sessions of one key by stamps that grow across peers', async () => {
      const stamps = [bus(0).openSession('k'), bus(1).openSession('k'), bus(0).openSession('other')];
      expect(stamps).toEqual(stamps.toSorted((a, b) => a - b));
      expect(new Set(stamps).size).toBe(3);
      expect((await heard(2)).toSorted()).toEqual(
        [`session k ${stamps[0]}`, `session k ${stamps[1]}`, `session other ${stamps[2]}`].toSorted(),
      );
      expect(await heard(0)).toEqual([`session k ${stamps[1]}`]);
    });

    it('tells all to disconnect a principal', async () => {
      bus(2).disconnectPrincipal('d1');
      expect([await heard(0), await heard(1), await heard(2)]).toEqual([['disconnect d1'], ['disconnect d1'], []]);
    });

    it('says when a peer has gone, and goes on without it', async () => {
      const gone = harness.peerId(0, 1);
      const home = Array.from({ length: SLOTS }, (_, slot) => bus(0).homeOf(slot as Slot));
      const waiting = bus(0).settled();
      await bus(1)[Symbol.asyncDispose]();
      expect(await heard(0)).toEqual([`gone ${gone}`]);
      await waiting;
      expect(bus(0).sendAll(packetOf('x'))).toBe(true);
      expect((await heard(2)).at(-1)).toBe('deliver x');
      expect(Array.from({ length: SLOTS }, (_, slot) => bus(0).homeOf(slot as Slot))).toEqual(home);
    });
  });
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new RangeError(`there is no ${index}`);
  return found;
}
