import { PromqlError } from './promql-error.ts';

/** An element at a step is 9 bytes. */
export interface BudgetLimits {
  /** Elements at all steps, of one vector. */
  readonly maxCells: number;
  /** Of all vectors of the query: more than are there at one time. */
  readonly maxTotalCells: number;
  /** Samples that functions over ranges look at, counted for each window that they are in. */
  readonly maxWork: number;
}

const LIMITS: BudgetLimits = { maxCells: 5_000_000, maxTotalCells: 30_000_000, maxWork: 500_000_000 };
/** Looked at before others have their turn: a few ms. */
const TURN_WORK = 2_000_000;

/** What one query may use: its caller shares thread and memory with others. */
export class QueryBudget {
  readonly #limits: BudgetLimits;
  readonly #check: () => void | Promise<void>;
  #cells = 0;
  #work = 0;
  #sinceTurn = 0;

  /** @param check called between parts: gives others their turn, and throws where the query is to end */
  constructor(check: () => void | Promise<void>, limits: BudgetLimits = LIMITS) {
    this.#check = check;
    this.#limits = limits;
  }

  /** Before they are made. @throws PromqlError `execution` */
  takeCells(series: number, steps: number): void {
    const cells = series * steps;
    this.#cells += cells;
    if (cells > this.#limits.maxCells)
      throw new PromqlError('execution', `the query gives ${series} series at ${steps} times: ask for fewer`);
    if (this.#cells > this.#limits.maxTotalCells)
      throw new PromqlError('execution', 'the parts of the query give too many series at too many times: ask for fewer');
  }

  /** @returns what to wait for, where it is time to. @throws PromqlError `execution` */
  work(amount: number): Promise<void> | undefined {
    this.#work += amount;
    this.#sinceTurn += amount;
    if (this.#work > this.#limits.maxWork)
      throw new PromqlError('execution', 'the query looks at too many samples: ask for a shorter time, or a longer step');
    return this.#sinceTurn < TURN_WORK ? undefined : this.turn();
  }

  async turn(): Promise<void> {
    this.#sinceTurn = 0;
    await this.#check();
  }
}
