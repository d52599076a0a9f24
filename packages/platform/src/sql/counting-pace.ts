import { QueryPace } from '../telemetry/query-pace.ts';

/** Counts what is read. It never pauses: it has a process of its own. */
export class CountingPace extends QueryPace {
  points = 0;
  /** More are not read. */
  maxPoints = Infinity;

  constructor() {
    super({ clock: { monotonicMs: () => 0 }, maxPoints: Infinity });
  }

  /** @throws Error which ends the query: `exceeded` tells */
  override reading(points: number): void {
    this.points += points;
    if (this.exceeded) throw new Error('the query read more points than it may');
  }

  get exceeded(): boolean {
    return this.points > this.maxPoints;
  }
}
