default_scope = 'densecorr'
randomness = dict(seed=0)
log_level = 'INFO'
