"""beside an Idempotency-Key, why its message was held when it was accepted"""

import sqlalchemy as sa
from alembic import op
revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('idempotency_key', sa.Column('accepted_reason', sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column('idempotency_key', 'accepted_reason')
