import { Button, Modal } from '@mantine/core';
import type { ReactNode } from 'react';
import styles from './dialog.module.css';
import { ProblemNotice } from './problem-notice.tsx';

interface ConfirmDialogProps {
  readonly opened: boolean;
  readonly title: string;
  /** What happens then. */
  readonly children: ReactNode;
  /** On the button that does it. */
  readonly action: string;
  /** On the button that does not. */
  readonly keep: string;
  readonly harmless?: boolean;
  readonly isPending: boolean;
  readonly error: Error | null;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
  readonly onClosed: () => void;
}

/** Asks once more before something that cannot be undone. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const { opened, title, children, action, keep, harmless = false, isPending, error, onConfirm, onClose, onClosed } = props;
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={title}
      onExitTransitionEnd={onClosed}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <div className={styles.form}>
        {children}
        {error !== null && <ProblemNotice error={error} />}
        <div className={styles.actions}>
          <Button variant="default" data-autofocus onClick={onClose}>
            {keep}
          </Button>
          <Button {...(!harmless && { color: 'brick' })} loading={isPending} onClick={onConfirm}>
            {action}
          </Button>
        </div>
      </div>
    </Modal>
  );
}
