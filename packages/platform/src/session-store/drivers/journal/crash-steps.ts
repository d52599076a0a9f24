import { type OwnerModel, actionsOf } from '../../owner-model.ts';
import type { StoreChange } from '../../session-store.ts';

/** For crash.test.ts: what a model does in a run, step by step, and the changes of each; the last tells the step. */
export function* steps(owner: OwnerModel, run: number): Generator<readonly StoreChange[]> {
  let step = 0;
  for (const action of actionsOf(run)) {
    step += 1;
    const change = owner.act(action);
    yield [...(change === undefined ? [] : [change]), owner.retain('step', `${run} ${step}`)];
  }
}
