import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PeerId } from '../bus/bus.ts';
import { ShareGroup, type SharedStrategy } from './share-group.ts';
import type { ShareMember, ShareMessage } from './share-ring.ts';

const STRATEGIES: readonly SharedStrategy[] = ['round-robin', 'sticky', 'least-in-flight', 'hash-topic', 'hash-client'];
const HASHES = ['hash-topic', 'hash-client'] as const;

class Member implements ShareMember {
  readonly name: string;
  load = 0;
  room = true;
  blind = false;
  got = 0;

  constructor(name: string) {
    this.name = name;
  }

  hasRoom(): boolean {
    return this.room;
  }

  mayReceive(): boolean {
    return !this.blind;
  }
}

function message(topic = 't', origin = 'publisher'): ShareMessage {
  return { topic: { name: topic }, origin, sizeBytes: 10 };
}

function members(count: number, prefix = 'm'): Member[] {
  return Array.from({ length: count }, (_, i) => new Member(`${prefix}${i}`));
}

function alone(strategy: SharedStrategy, all: readonly Member[], online = true): ShareGroup<Member> {
  const group = new ShareGroup<Member>({ self: 0 as PeerId, strategy });
  for (const member of all) group.set(member, online);
  return group;
}

/** Several threads that tell each other their weights at once. */
class Threads {
  readonly groups: ShareGroup<Member>[];

  constructor(strategy: SharedStrategy, count: number) {
    this.groups = Array.from({ length: count }, (_, i) => new ShareGroup<Member>({ self: i as PeerId, strategy }));
  }

  set(thread: number, member: Member, online: boolean): void {
    this.groups[thread]!.set(member, online);
    this.#announce(thread);
  }

  remove(thread: number, member: Member): void {
    this.groups[thread]!.remove(member);
    this.#announce(thread);
  }

  /** The member that a message gets to which is published in this thread. */
  pick(from: number, sent = message()): Member | undefined {
    const target = this.groups[from]!.pick(sent);
    return typeof target === 'number' ? this.groups[target]!.pickHere(sent) : target;
  }

  #announce(thread: number): void {
    const { weight } = this.groups[thread]!;
    for (const [other, group] of this.groups.entries()) if (other !== thread) group.setPeer(thread as PeerId, weight);
  }
}

describe('round robin', () => {
  test('each member gets one message in each round', () => {
    const all = members(7);
    const group = alone('round-robin', all);
    const first = Array.from({ length: 7 }, () => group.pick(message()));
    expect(new Set(first)).toEqual(new Set(all));
    for (let round = 0; round < 3; round++) expect(Array.from({ length: 7 }, () => group.pick(message()))).toEqual(first);
  });

  test.each([
    [1, 1, 1],
    [5, 1, 1],
    [1, 20, 3],
    [0, 4, 7],
    [9, 0, 0],
  ])('members of all threads get equally many, wherever it is published (%d, %d and %d members)', (...counts) => {
    const threads = new Threads('round-robin', 3);
    const all = counts.flatMap((count, thread) => {
      const here = members(count, `${thread}-`);
      for (const member of here) threads.set(thread, member, true);
      return here;
    });
    const rounds = 30;
    for (let i = 0; i < rounds * all.length; i++) threads.pick(1)!.got++;
    for (const { got } of all) expect(Math.abs(got - rounds)).toBeLessThanOrEqual(2);
    for (let i = 0; i < 3 * rounds * all.length; i++) threads.pick(i % 3)!.got++;
    for (const { got } of all) expect(Math.abs(got - 4 * rounds)).toBeLessThanOrEqual(5);
  });

  test('a thread’s turns are spread, not given at once', () => {
    const group = new ShareGroup<Member>({ self: 0 as PeerId, strategy: 'round-robin' });
    for (const [peer, weight] of [2, 1, 1].entries()) group.setPeer((peer + 1) as PeerId, weight);
    expect(Array.from({ length: 8 }, () => group.pick(message()))).toEqual([1, 2, 3, 1, 1, 2, 3, 1]);
  });

  test('a member gets its turn however often others come and go', () => {
    const [steady, ...others] = members(6);
    const group = alone('round-robin', [steady!, ...others]);
    let since = 0;
    for (let i = 0; i < 500; i++) {
      if (group.pick(message()) === steady) since = 0;
      else since++;
      expect(since).toBeLessThanOrEqual(6);
      const moving = others[(i * 7) % others.length]!;
      group.remove(moving);
      group.set(moving, true);
    }
  });

  test('nor does a thread wait for long after weights have changed a lot', () => {
    const group = new ShareGroup<Member>({ self: 0 as PeerId, strategy: 'round-robin' });
    const [one, two] = [1 as PeerId, 2 as PeerId];
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 9_999 }), fc.integer({ min: 1, max: 9_999 })), { maxLength: 50 }),
        (weights) => {
          for (const [a, b] of weights) {
            group.setPeer(one, a);
            group.setPeer(two, b);
            group.pick(message());
          }
          group.setPeer(one, 1);
          group.setPeer(two, 1);
          const picks = Array.from({ length: 10 }, () => group.pick(message()));
          expect(picks).toContain(one);
          expect(picks).toContain(two);
        },
      ),
    );
  });
});

test('threads that come and go neither get all nor keep others from their turns', () => {
  const group = new ShareGroup<Member>({ self: 0 as PeerId, strategy: 'round-robin' });
  for (const peer of [1, 2]) group.setPeer(peer as PeerId, 1);
  for (let i = 0; i < 1_000; i++) {
    group.setPeer((3 + (i % 3)) as PeerId, 1 + (i % 5));
    for (let picks = i % 4; picks > 0; picks--) group.pick(message());
    group.setPeer((3 + (i % 3)) as PeerId, 0);
  }
  group.setPeer(9 as PeerId, 1);
  const picks = Array.from({ length: 12 }, () => group.pick(message()));
  for (const peer of [1, 2, 9]) {
    const got = picks.filter((target) => target === peer).length;
    expect(got >= 3 && got <= 5).toBe(true);
  }
});

describe('sticky', () => {
  test('one member gets all, from whichever thread, until it goes', () => {
    const threads = new Threads('sticky', 3);
    const all = members(6);
    for (const [i, member] of all.entries()) threads.set(1 + (i % 2), member, true);
    const first = threads.pick(0);
    for (let i = 0; i < 20; i++) expect(threads.pick(i % 3)).toBe(first);
    threads.set(1, new Member('late'), true);
    threads.remove(
      1,
      all.find((member, i) => i % 2 === 0 && member !== first)!,
    );
    expect(threads.pick(2)).toBe(first);
    threads.set(1, first!, false);
    const second = threads.pick(2);
    expect(second).not.toBe(first);
    for (let i = 0; i < 20; i++) expect(threads.pick(i % 3)).toBe(second);
  });

  test('while it has no room another helps out', () => {
    const all = members(3);
    const group = alone('sticky', all);
    const first = group.pick(message()) as Member;
    first.room = false;
    expect(group.pick(message())).not.toBe(first);
    first.room = true;
    expect(group.pick(message())).toBe(first);
  });
});

describe('least in flight', () => {
  test('who has least to do gets the next one', () => {
    const all = members(50);
    const group = alone('least-in-flight', all);
    for (const [i, member] of all.entries()) member.load = 10 + ((i * 17) % 50);
    for (let i = 0; i < 500; i++) {
      const least = Math.min(...all.map(({ load }) => load));
      const picked = group.pick(message()) as Member;
      expect(picked.load).toBe(least);
      picked.load++;
    }
  });

  test('those with equally little to do take turns', () => {
    const all = members(10);
    const group = alone('least-in-flight', all);
    expect(new Set(Array.from({ length: 10 }, () => group.pick(message())))).toEqual(new Set(all));
  });

  test('of very many nobody is left with much more than others', () => {
    const all = members(3_000);
    const group = alone('least-in-flight', all);
    for (let i = 0; i < 30_000; i++) (group.pick(message()) as Member).load++;
    const loads = all.map(({ load }) => load);
    expect([Math.min(...loads), Math.max(...loads)]).toEqual([10, 10]);
  });
});

describe.each(HASHES)('%s', (strategy) => {
  const keyed = (i: number): ShareMessage =>
    strategy === 'hash-topic' ? message(`telemetry/d${i}`, `p${i % 7}`) : message(`t${i % 7}`, `client${i}`);

  test('the same member gets what has the same key, from whichever thread', () => {
    const threads = new Threads(strategy, 3);
    for (const [i, member] of members(20).entries()) threads.set(i % 3, member, true);
    for (let i = 0; i < 200; i++) {
      const picked = threads.pick(0, keyed(i));
      for (const from of [1, 2, 0]) expect(threads.pick(from, keyed(i))).toBe(picked);
    }
  });

  test('members of all threads have their fair share of the keys', () => {
    const threads = new Threads(strategy, 3);
    const all = members(20);
    for (const [i, member] of all.entries()) threads.set(i < 12 ? 0 : i < 18 ? 1 : 2, member, true);
    for (let i = 0; i < 20_000; i++) threads.pick(i % 3, keyed(i))!.got++;
    for (const { got } of all) expect(Math.abs(got - 1_000)).toBeLessThan(250);
  });

  test('when members come or go, most keys stay where they are', () => {
    const threads = new Threads(strategy, 3);
    const all = members(40);
    for (const [i, member] of all.entries()) threads.set(i % 3, member, true);
    const before = Array.from({ length: 2_000 }, (_, i) => threads.pick(0, keyed(i)));
    const moved = () => before.filter((member, i) => threads.pick(0, keyed(i)) !== member).length / before.length;
    threads.set(1, new Member('new'), true);
    expect(moved()).toBeLessThan(0.1);
    threads.remove(0, all[3]!);
    expect(moved()).toBeLessThan(0.25);
  });
});

describe.each(STRATEGIES)('whatever the strategy: %s', (strategy) => {
  test('nobody gets anything where there is nobody', () => {
    const group = new ShareGroup<Member>({ self: 3 as PeerId, strategy });
    expect([group.isEmpty, group.weight, group.pick(message()), group.pickHere(message())]).toEqual([
      true,
      0,
      undefined,
      undefined,
    ]);
    group.setPeer(1 as PeerId, 2);
    expect([group.isEmpty, group.pick(message()), group.pickHere(message())]).toEqual([false, 1, undefined]);
    group.setPeer(1 as PeerId, 0);
    expect([group.isEmpty, group.pick(message())]).toEqual([true, undefined]);
  });

  test('sessions whose clients are away get messages only while no client is there in any thread', () => {
    const threads = new Threads(strategy, 2);
    const [away, alsoAway, online] = members(3);
    threads.set(0, away!, false);
    threads.set(1, alsoAway!, false);
    const seen = new Set(Array.from({ length: 50 }, (_, i) => threads.pick(i % 2, message(`t${i}`, `p${i}`))));
    expect(seen.has(undefined)).toBe(false);
    if (strategy === 'round-robin') expect(seen.size).toBe(2);
    threads.set(1, online!, true);
    for (let i = 0; i < 20; i++) expect(threads.pick(i % 2, message(`t${i}`, `p${i}`))).toBe(online);
    expect(threads.groups[0]!.hasOnlineBesides(away!)).toBe(true);
    expect(threads.groups[1]!.hasOnlineBesides(online!)).toBe(false);
    threads.set(1, online!, false);
    expect(threads.pick(0)).toBeDefined();
  });

  test('who has no room, or may not see the topic, is passed over while another can take it, here or elsewhere', () => {
    const all = members(5);
    const group = alone(strategy, all);
    for (const member of all.slice(0, 2)) member.room = false;
    for (const member of all.slice(2, 4)) member.blind = true;
    for (let i = 0; i < 20; i++) expect(group.pick(message(`t${i}`, `p${i}`))).toBe(all[4]);
    all[4]!.room = false;
    expect(group.pick(message())).toBeUndefined();
    group.setPeer(7 as PeerId, 1);
    for (let i = 0; i < 20; i++) expect(group.pick(message(`t${i}`, `p${i}`))).toBe(7);
    all[1]!.room = true;
    expect(group.pickHere(message())).toBe(all[1]);
  });

  test('who failed to take it does not get it again', () => {
    const all = members(3);
    const group = alone(strategy, all);
    for (let i = 0; i < 30; i++) expect(group.pick(message(`t${i}`), all[i % 3])).not.toBe(all[i % 3]);
    const one = alone(strategy, [all[0]!]);
    expect(one.pick(message(), all[0])).toBeUndefined();
    one.setPeer(4 as PeerId, 1);
    expect(one.pick(message(), all[0])).toBe(4);
    for (let i = 0; i < 10; i++) expect(one.pick(message(`t${i}`, `p${i}`), 4 as PeerId)).toBe(all[0]);
  });

  test('always a member that is there and can take it, if there is one', () => {
    const step = fc.record({
      kind: fc.constantFrom(
        'online' as const,
        'away' as const,
        'remove' as const,
        'full' as const,
        'room' as const,
        'pick' as const,
      ),
      member: fc.nat(8),
      key: fc.nat(100),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const all = members(9);
        const group = alone(strategy, []);
        const known = new Map<Member, boolean>();
        for (const { kind, member: index, key } of steps) {
          const member = all[index]!;
          if (kind === 'online' || kind === 'away') {
            group.set(member, kind === 'online');
            known.set(member, kind === 'online');
          } else if (kind === 'remove') {
            group.remove(member);
            known.delete(member);
          } else if (kind !== 'pick') member.room = kind === 'room';
          const awake = [...known.values()].includes(true);
          const able = [...known].filter(([one, online]) => online === awake && one.room).map(([one]) => one);
          const picked = group.pick(message(`t${key}`, `p${key}`));
          if (able.length === 0) expect(picked).toBeUndefined();
          else expect(able).toContain(picked);
          expect(group.isEmpty).toBe(known.size === 0);
          expect(Math.floor(group.weight)).toBe([...known.values()].filter(Boolean).length);
        }
      }),
    );
  });

  test('a pick among 10,000 members, all of them busy, looks at one, or for the least loaded at 256', () => {
    let looks = 0;
    const busy = {
      get load() {
        looks++;
        return 1;
      },
      hasRoom: () => true,
      mayReceive: () => {
        looks += strategy === 'least-in-flight' ? 0 : 1;
        return true;
      },
    };
    const group = new ShareGroup<ShareMember>({ self: 0 as PeerId, strategy });
    for (let i = 0; i < 10_000; i++) group.set(Object.create(busy) as ShareMember, true);
    looks = 0;
    for (let i = 0; i < 1_000; i++) expect(group.pick(message(`telemetry/device-${i}`, `client-${i}`))).toBeDefined();
    expect(looks).toBe(strategy === 'least-in-flight' ? 256_000 : 1_000);
  });
});
