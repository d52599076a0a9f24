import { QueryPace } from '../telemetry/query-pace.ts';

/** Counts what is read. It never pauses: it has a process of its own. */
export class CountingPace extends QueryPace {
  points = 0;

  constructor() {
    super({ clock: { monotonicMs: () => 0 }, maxPoints: Infinity });
  }

  override reading(points: number): void {
    this.points += points;
  }
}
