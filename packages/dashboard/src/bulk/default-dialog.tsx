import { Button, Modal, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type FormEvent } from 'react';
import { putShadowDefault, type ShadowDefault } from '../api/shadow-defaults.ts';
import { SHADOW_NAME_PATTERN } from '../api/shadows.ts';
import { useServices } from '../app/services.ts';
import { prettyJson, typedObject } from '../format/typed-json.ts';
import { shadowTitle } from '../shadow/shadow-words.ts';
import { TargetCount } from '../targets/target-count.tsx';
import { TargetInput } from '../targets/target-input.tsx';
import { targetTexts, targetWords, type Target } from '../targets/target.ts';
import dialog from '../ui/dialog.module.css';
import { JsonInput } from '../ui/json-input.tsx';
import { ProblemNotice } from '../ui/problem-notice.tsx';

interface DefaultDialogProps {
  /** Absent: a new one. */
  readonly edited: ShadowDefault | undefined;
  readonly onClose: () => void;
}

const KINDS = ['group', 'type'] as const;
const NO_TARGET: Target = { kind: 'group', value: '' };

export function DefaultDialog({ opened, ...props }: DefaultDialogProps & { readonly opened: boolean }) {
  const title = props.edited === undefined ? 'Set a default' : `Default of ${targetWords(props.edited.target)}`;
  return (
    <Modal
      opened={opened}
      onClose={props.onClose}
      title={title}
      size="lg"
      closeOnClickOutside={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <DefaultForm {...props} />
    </Modal>
  );
}

function DefaultForm({ edited, onClose }: DefaultDialogProps) {
  const { client } = useServices();
  const queries = useQueryClient();
  // What it was when the dialog was opened: a change by somebody else from then on is refused by the server.
  const [base] = useState(edited);
  const [target, setTarget] = useState(NO_TARGET);
  const [shadow, setShadow] = useState(base?.shadow ?? '');
  const [desired, setDesired] = useState(() => (base === undefined ? '' : prettyJson(base.desired)));
  const [faults, setFaults] = useState<{ readonly target?: string; readonly shadow?: string; readonly desired?: string }>({});
  const put = useMutation({
    mutationFn: putShadowDefault.bind(null, client),
    onSuccess: onClose,
    onSettled: () => {
      for (const key of ['shadow-defaults', 'shadow-updates', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const text = base?.target ?? targetTexts(target)[0];
    const typed = typedObject(desired);
    const found = {
      ...(text === undefined && { target: 'Which devices?' }),
      ...(shadow !== '' && !SHADOW_NAME_PATTERN.test(shadow) && { shadow: '1 to 64 of $ A–Z a–z 0–9 : _ -' }),
      ...('fault' in typed && { desired: typed.fault }),
    };
    setFaults(found);
    if (text === undefined || 'fault' in typed || Object.keys(found).length > 0) return;
    put.mutate({ target: text, shadow, desired: typed.value, expectedVersion: base?.version ?? 0 });
  };
  return (
    <form className={dialog.form} onSubmit={submit}>
      {base === undefined ? (
        <>
          <div>
            <TargetInput kinds={KINDS} target={target} fault={faults.target ?? ''} onChange={setTarget} />
            <TargetCount target={target} />
          </div>
          <TextInput
            label="Shadow"
            description="Empty: the classic one."
            spellCheck={false}
            autoCapitalize="none"
            autoComplete="off"
            value={shadow}
            error={faults.shadow}
            onChange={(event) => setShadow(event.currentTarget.value.trim())}
          />
        </>
      ) : (
        <p>
          {shadowTitle(base.shadow)}. Devices that are there get the change by an update, which shows among the bulk settings.
        </p>
      )}
      <JsonInput
        label="Desired"
        description="Exactly this from now on. null takes away what comes from farther."
        rows={9}
        value={desired}
        fault={faults.desired ?? ''}
        onChange={setDesired}
      />
      {put.error !== null && <ProblemNotice error={put.error} />}
      <div className={dialog.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={put.isPending}>
          Save
        </Button>
      </div>
    </form>
  );
}
