import { ActionIcon, Tooltip } from '@mantine/core';
import { useEffect, useState } from 'react';
import { copyText } from './copy-text.ts';
import { Icon } from './icons.tsx';

/** Copies `text`; its label says what was copied. */
export function CopyButton({ text, label }: { readonly text: string; readonly label: string }) {
  const [state, setState] = useState<'idle' | 'copied' | 'failed'>('idle');
  useEffect(() => {
    if (state === 'idle') return undefined;
    const timer = setTimeout(() => setState('idle'), 1600);
    return () => clearTimeout(timer);
  }, [state]);
  const hint = state === 'copied' ? 'Copied' : state === 'failed' ? 'Your browser refused: select the text and copy it' : label;
  return (
    <Tooltip label={hint} {...(state === 'idle' ? {} : { opened: true })}>
      <ActionIcon
        variant="subtle"
        color={state === 'failed' ? 'brick' : 'petrol'}
        aria-label={hint}
        onClick={() => void copyText(text).then((copied) => setState(copied ? 'copied' : 'failed'))}
      >
        <Icon name={state === 'copied' ? 'check' : 'copy'} />
      </ActionIcon>
    </Tooltip>
  );
}
