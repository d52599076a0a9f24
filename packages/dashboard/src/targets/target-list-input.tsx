import { ActionIcon, Button } from '@mantine/core';
import { useState } from 'react';
import { Icon } from '../ui/icons.tsx';
import { TargetCount } from './target-count.tsx';
import { TargetInput } from './target-input.tsx';
import { targetTexts, targetWords, type Target, type TargetKind } from './target.ts';
import styles from './targets.module.css';

interface TargetListInputProps {
  readonly kinds: readonly TargetKind[];
  readonly chosen: readonly string[];
  /** What is typed and not yet added. */
  readonly target: Target;
  readonly onChange: (next: { readonly chosen: readonly string[]; readonly target: Target }) => void;
  readonly fault: string;
}

const SHOWN = 20;

/** Several targets, one after the other. */
export function TargetListInput({ kinds, chosen, target, onChange, fault }: TargetListInputProps) {
  const [all, setAll] = useState(false);
  const add = () => {
    const texts = targetTexts(target);
    if (texts.length > 0) onChange({ chosen: [...new Set([...chosen, ...texts])], target: { ...target, value: '' } });
  };
  const shown = all ? chosen : chosen.slice(0, SHOWN);
  return (
    <>
      <div>
        <TargetInput
          kinds={kinds}
          target={target}
          fault={fault}
          onChange={(next) => onChange({ chosen, target: next })}
          onEnter={add}
        />
        <div className={styles.add}>
          <TargetCount target={target} />
          <Button size="compact-xs" variant="default" disabled={targetTexts(target).length === 0} onClick={add}>
            Add another
          </Button>
        </div>
      </div>
      {chosen.length > 0 && (
        <ul className={styles.chosen} aria-label="Targets">
          {shown.map((text) => (
            <li key={text}>
              {targetWords(text)}
              <ActionIcon
                size={20}
                variant="subtle"
                color="petrol"
                aria-label={`Without ${targetWords(text)}`}
                onClick={() => onChange({ chosen: chosen.filter((each) => each !== text), target })}
              >
                <Icon name="minus" size={11} />
              </ActionIcon>
            </li>
          ))}
          {shown.length < chosen.length && (
            <li>
              <Button size="compact-xs" variant="subtle" onClick={() => setAll(true)}>
                {chosen.length - shown.length} more
              </Button>
            </li>
          )}
        </ul>
      )}
    </>
  );
}
