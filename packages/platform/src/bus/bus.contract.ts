import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Bus, BusListener, PacketUse, PeerId } from './bus.ts';

/** Peers that are joined, and who is who to whom. */
export interface BusHarness extends AsyncDisposable {
  readonly buses: readonly Bus[];
  /** What `buses[of]` calls `buses[peer]`. */
  peerId(of: number, peer: number): PeerId;
  /** Resolves when all that was sent has arrived. */
  settled(): Promise<void>;
}

/** Writes down what it hears. */
export class RecordingListener implements BusListener {
  readonly heard: string[] = [];

  onInterest(peer: PeerId, filter: string, wanted: boolean): void {
    this.heard.push(`${wanted ? '+' : '-'}${filter} of ${peer}`);
  }
  onPacket(use: PacketUse, bytes: Uint8Array): void {
    this.heard.push(`${use} ${Buffer.from(bytes).toString()}`);
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

/** What every driver of the bus keeps. */
export function busContract(name: string, makeHarness: (peers: number) => Promise<BusHarness>): void {
  describe(`the bus on ${name}`, () => {
    let harness: BusHarness;
    let listeners: RecordingListener[];

    beforeEach(async () => {
      harness = await makeHarness(3);
      listeners = harness.buses.map((bus) => {
        const listener = new RecordingListener();
        bus.attach(listener);
        return listener;
      });
    });
    afterEach(async () => {
      await harness[Symbol.asyncDispose]();
    });

    const bus = (index: number): Bus => {
      const found = harness.buses[index];
      if (found === undefined) throw new RangeError(`no bus ${index}`);
      return found;
    };
    const heard = async (index: number): Promise<string[]> => {
      await harness.settled();
      return listeners[index]?.heard ?? [];
    };

    it('sends a packet to one peer, and to all', async () => {
      expect(bus(0).send(harness.peerId(0, 1), 'deliver', Buffer.from('one'))).toBe(true);
      expect(bus(0).sendAll('retain', Buffer.from('all'))).toBe(true);
      expect(await heard(1)).toEqual(['deliver one', 'retain all']);
      expect(await heard(2)).toEqual(['retain all']);
      expect(await heard(0)).toEqual([]);
    });

    it('is settled once all peers know what was announced, and what they sent before is here', async () => {
      bus(1).send(harness.peerId(1, 0), 'retain', Buffer.from('before'));
      bus(0).announce('a/#', true);
      await bus(0).settled();
      expect(listeners[1]?.heard).toEqual([`+a/# of ${harness.peerId(1, 0)}`]);
      expect(listeners[2]?.heard).toEqual([`+a/# of ${harness.peerId(2, 0)}`]);
      expect(listeners[0]?.heard).toEqual(['retain before']);
    });

    it('copies a packet: its buffer may be used again at once', async () => {
      const bytes = Buffer.from('first');
      bus(0).send(harness.peerId(0, 1), 'deliver', bytes);
      bytes.write('wrong');
      expect(await heard(1)).toEqual(['deliver first']);
    });

    it('keeps the order of all that it sends to a peer', async () => {
      const peer = harness.peerId(0, 1);
      bus(0).announce('a/#', true);
      for (let i = 0; i < 1_000; i++) bus(0).send(peer, 'deliver', Buffer.from(String(i)));
      bus(0).announce('a/#', false);
      bus(0).send(peer, 'deliver', Buffer.from('last'));
      const me = harness.peerId(1, 0);
      const numbers = Array.from({ length: 1_000 }, (_, i) => `deliver ${i}`);
      expect(await heard(1)).toEqual([`+a/# of ${me}`, ...numbers, `-a/# of ${me}`, 'deliver last']);
    });

    it('carries large and empty packets', async () => {
      const large = 'x'.repeat(300_000);
      bus(0).send(harness.peerId(0, 1), 'deliver', Buffer.from(large));
      bus(0).send(harness.peerId(0, 1), 'retain', new Uint8Array(0));
      expect(await heard(1)).toEqual([`deliver ${large}`, 'retain ']);
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
      await bus(1)[Symbol.asyncDispose]();
      expect(await heard(0)).toEqual([`gone ${gone}`]);
      expect(bus(0).sendAll('deliver', Buffer.from('x'))).toBe(true);
      expect((await heard(2)).at(-1)).toBe('deliver x');
    });
  });
}
